// Tests of Revise: what another revision of a profile would have meant for recorded traffic.

package denials

import (
	"context"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"sallyport/configs"
	"sallyport/rules/profile"
)

// A revision that drops a rule and adds another one: Revise names the permitted flows that it would
// have denied and the denials that it would have permitted, and nothing that both revisions decide
// alike.
func TestRevise(t *testing.T) {
	old := siteOf(t, fleet)
	text, err := fs.ReadFile(configs.Profiles(), "endpoint-secure-onprem.toml")
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.Replace(string(text), `"license.sangfor.com"`, `"evil.example"`, 1)
	p, err := profile.Parse("next.toml", []byte(changed))
	if err != nil || changed == string(text) {
		t.Fatal("the profile has no rule to license.sangfor.com", err)
	}
	now, unknown := old.WithProfile(p)
	if len(unknown) > 0 {
		t.Errorf("the revision does not know %q", unknown)
	}
	rs := decided(t, old,
		attempt(t, manager, "license.sangfor.com", 443), // permitted, denied by the revision
		attempt(t, manager, "evil.example", 443),        // denied, permitted by the revision
		attempt(t, manager, "other.example", 443),       // denied by both
		attempt(t, manager, "update1.sangfor.net", 443), // permitted by both
	)
	// A record that the old revision decides otherwise today says nothing about the new one.
	stale := rs[2]
	stale.Host, stale.Authority = "update1.sangfor.net", "update1.sangfor.net:443"
	stale.Seq = 9
	rs = append(rs, stale)
	out, err := Revise(context.Background(), old, now, Query{Files: []string{journalOf(t, filepath.Join(t.TempDir(), "j"), rs...)}})
	if err != nil {
		t.Fatal(err)
	}
	if len(out.Permitted) != 1 || out.Permitted[0].Host != "evil.example" || out.Permitted[0].Outcome != NewlyPermitted {
		t.Errorf("newly permitted: %+v", out.Permitted)
	}
	if len(out.Denied) != 1 || out.Denied[0].Host != "license.sangfor.com" || out.Denied[0].NewReason != "not_listed" {
		t.Errorf("newly denied: %+v", out.Denied)
	}
	if _, err := Revise(context.Background(), old, now, Query{Files: []string{filepath.Join(t.TempDir(), "no-such-file")}}); err == nil {
		t.Error("a journal that cannot be read is no error")
	}
}
