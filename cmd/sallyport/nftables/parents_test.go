// Tests of the parent proxies in a ruleset.

package nftables

import (
	"strings"
	"testing"
)

// parentsText has parents within --local, of both families, by name, and on loopback.
const parentsText = "[[parent]]\nname = \"a\"\nurl = \"http://10.99.9.9:3128\"\n[[parent]]\nname = \"b\"\nurl = \"https://[fd99::9]:3129\"\n" +
	"[[parent]]\nname = \"c\"\nurl = \"http://127.0.0.1:3128\"\n[[parent]]\nname = \"d\"\nurl = \"http://proxy.corp.example:8080\"\n"

// A parent whose address the filter does not know is warned of; [hosts] can give the address.
func TestParentWithANameIsWarnedOf(t *testing.T) {
	const want = "[[parent]] d: the filter does not know the address of proxy.corp.example, so it does not keep others from this parent within --local, on loopback and on this host: write the address into url, or add the name to [hosts]"
	if _, warnings := printed(t, siteFile, parentsText+siteText(t)); !strings.Contains(warnings, want) {
		t.Errorf("warnings:\n%s", warnings)
	}
	out, warnings := printed(t, siteFile, parentsText+siteText(t)+"\n[hosts]\n\"proxy.corp.example\" = \"10.99.9.8\"\n")
	if strings.Contains(warnings, "[[parent]]") || !strings.Contains(out, "set parents4 { type ipv4_addr . inet_service; elements = { 10.99.9.9 . 3128, 127.0.0.1 . 3128, 10.99.9.8 . 8080 }; }") {
		t.Errorf("warnings:\n%s\n%s", warnings, out)
	}
}
