// Fuzz: a merge never panics, and never permits what neither the person nor the new document has.

package merge

import (
	"testing"

	"sallyport/rules"
	"sallyport/rules/profile"
)

func FuzzMerge(f *testing.F) {
	a, note := rule("a", "a.example", https, "A"), open("n", "n.example", https, "n.example | 443 | N", "no protocol is given")
	f.Add(a+note, a+rule("n", "n.example", https, "N"), rule("a", "a.example", both, "A")+note)
	f.Add(a+"\n# NOTE\n", "# c\n"+a+"# d\n\n# NOTE: x\n#  y | z\n", "")
	f.Add("[[feature]]\nname=\"x\"\n[[port]]\nname=\"p\"\ndefault=1\n"+a, a, "[[feature]]\nname=\"y\"\n"+a)
	f.Fuzz(func(t *testing.T, old, reviewed, now string) {
		r, err := Merge(fileOf("3", old), fileOf("3", reviewed), fileOf("4", now))
		if err != nil {
			return
		}
		p, err := profile.Parse("merged", r.Data)
		if err != nil {
			t.Fatalf("%v\n%s", err, r.Data)
		}
		known := map[string]bool{}
		for _, from := range []*rules.Profile{r.Reviewed, r.New} {
			for _, one := range from.Rules {
				known[reach(from, one)] = true
			}
		}
		for _, one := range p.Rules {
			if !known[reach(p, one)] && r.Count(Joined) == 0 {
				t.Fatalf("%s permits %q\n%s", one.ID, reach(p, one), r.Data)
			}
		}
	})
}
