// The rulesets in testdata, as nft prints them.

package nftables

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The whole rulesets, for people to read. After an intended change:
// UPDATE_GOLDEN=1 go test ./cmd/sallyport/nftables -run TestGoldenRulesets
func TestGoldenRulesets(t *testing.T) {
	for _, g := range []struct {
		file string
		args []string
	}{
		{"gateway.nft", []string{"--mode", "gateway"}},
		{"gateway-local.nft", []string{"--local", "10.99.0.0/16", "--local", "fd99::/64", "--masquerade"}},
		{"gateway-bound.nft", []string{"--neighbour", "10.77.0.10=52:54:00:00:00:10", "--neighbour", "fd77::10=52:54:00:00:00:10", "--neighbour", "10.77.2.0/24=52:54:00:00:00:02", "--interface", "10.77.0.11=eth1"}},
		{"gateway-tproxy.nft", []string{"--tproxy", "--local", "10.99.0.0/16"}},
		{"gateway-parent.nft", []string{"--local", "10.99.0.0/16", "--user", "65532"}},
		{"sidecar.nft", []string{"--mode", "sidecar"}},
		{"sidecar-parent.nft", []string{"--mode", "sidecar", "--user", "65532", "--local", "10.99.0.0/16"}},
		{"sidecar-dhcp.nft", []string{"--mode", "sidecar", "--user", "65532", "--local", "10.99.0.0/16", "--dhcp"}},
	} {
		t.Run(g.file, func(t *testing.T) {
			text := siteText(t)
			if strings.Contains(g.file, "tproxy") {
				text = strings.Replace(text, `transparent = ["[::]:3129"]`, `tproxy      = ["127.0.0.1:3130", "[::1]:3130"]`, 1)
			}
			if strings.Contains(g.file, "parent") {
				text = parentsText + text
			}
			out, _ := printed(t, siteFile, text, g.args...)
			file := filepath.Join("testdata", g.file)
			if os.Getenv("UPDATE_GOLDEN") != "" {
				if err := os.WriteFile(file, []byte(out), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if out != string(want) {
				t.Errorf("%s differs from what nft prints now:\n%s", file, firstDifference(string(want), out))
			}
		})
	}
}

// firstDifference returns the first lines that differ.
func firstDifference(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range min(len(w), len(g)) {
		if w[i] != g[i] {
			return "want " + w[i] + "\ngot  " + g[i]
		}
	}
	return "one is longer"
}
