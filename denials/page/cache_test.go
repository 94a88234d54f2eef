// Tests of the limits of the review cache.

package page

import (
	"context"
	"fmt"
	"testing"

	"sallyport/denials/journaltest"

	"sallyport/denials"
)

// After many views, the cache holds few reviews, and no large review that is not in
// use.
func TestCacheIsBounded(t *testing.T) {
	path := journaltest.Generated(t, 200)
	p := &reviewPage{PageConfig: PageConfig{Files: func() ([]string, error) { return []string{path}, nil }}}
	for i := range 20 {
		if _, err := p.review(context.Background(), denials.Filter{Denied: true, Text: fmt.Sprint(i)}); err != nil {
			t.Fatal(err)
		}
		if len(p.cache) > cachedMax {
			t.Fatalf("the cache holds %d reviews", len(p.cache))
		}
	}
	p.cache[0].size = keptMax + 1
	if _, err := p.review(context.Background(), denials.Filter{Denied: true}); err != nil {
		t.Fatal(err)
	}
	for _, c := range p.cache[:len(p.cache)-1] {
		if c.size > keptMax {
			t.Error("the cache keeps a large review that is not in use")
		}
	}
}
