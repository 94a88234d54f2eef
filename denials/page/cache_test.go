// Tests that the page keeps few reviews.

package page

import (
	"context"
	"fmt"
	"testing"

	"sallyport/denials/journaltest"

	"sallyport/denials"
)

// However many looks there are, reviews that are not in use are few and small.
func TestCacheIsBounded(t *testing.T) {
	path := journaltest.Generated(t, 200)
	p := &reviewPage{PageConfig: PageConfig{Files: func() ([]string, error) { return []string{path}, nil }}}
	for i := range 20 {
		if _, err := p.review(context.Background(), denials.Filter{Denied: true, Text: fmt.Sprint(i)}); err != nil {
			t.Fatal(err)
		}
		if len(p.cache) > cachedMax {
			t.Fatalf("%d reviews are kept", len(p.cache))
		}
	}
	p.cache[0].size = keptMax + 1
	if _, err := p.review(context.Background(), denials.Filter{Denied: true}); err != nil {
		t.Fatal(err)
	}
	for _, c := range p.cache[:len(p.cache)-1] {
		if c.size > keptMax {
			t.Error("a large review is kept beside the one in use")
		}
	}
}
