// Page: the review in a browser. It only reads.

package page

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"sallyport/denials/journal"

	"sallyport/denials"
	"sallyport/rules"
)

// A PageConfig has the parameters of the review page. Site, Usage and Health
// are called for each view, so that a reload takes effect at once; each may be
// nil.
type PageConfig struct {
	Files  func() ([]string, error) // the files of the journal, as journal.Files returns them
	Site   func() *denials.Site     // the configuration in force
	Usage  func() journal.UsageState
	Health func() []Health
	When   func(text string, now time.Time) (time.Time, error) // reads a time as people write it; nil: only RFC 3339
	Now    func() time.Time                                    // nil: time.Now
	Log    *slog.Logger                                        // nil: no log
}

// A Health is one line of the health view.
type Health struct {
	Name string
	OK   bool
	Text string
}

// scanTime limits one view. The first view of a long journal takes the longest.
const scanTime = 5 * time.Minute

// A reviewPage serves the views. One scan runs at a time. A second viewer waits
// for it and uses its result.
type reviewPage struct {
	PageConfig
	turn  chan struct{} // holds a token while the fields below are free
	cache []cached      // the most recently used last
	known knownNow
}

// knownNow is the table of known denials of a site, while no entry of it expires.
type knownNow struct {
	site  *denials.Site
	table *rules.KnownTable
}

// knownAt returns the table of known denials that is in force. It must run inside alone.
func (p *reviewPage) knownAt(site *denials.Site) *rules.KnownTable {
	if site == nil {
		return nil
	}
	now := p.Now()
	if next := p.known.table.NextExpiry(); p.known.site != site || !next.IsZero() && !now.Before(next) {
		p.known = knownNow{site, site.KnownAt(now)}
	}
	return p.known.table
}

// cached is a review and its filter.
type cached struct {
	key  denials.Filter
	run  *denials.Review
	size int // an estimate, in bytes
}

// cachedMax limits the number of reviews in the cache. The page uses them when a viewer
// pages or sorts, so that it reads only the new part of the journal.
const cachedMax = 4

// keptMax limits the estimated bytes of the cached reviews that are not in use.
const keptMax = 16 << 20

// Page returns the review page. The caller decides who may see it.
func Page(c PageConfig) http.Handler {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.When == nil {
		c.When = func(s string, _ time.Time) (time.Time, error) { return time.Parse(time.RFC3339, s) }
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	p := &reviewPage{PageConfig: c, turn: make(chan struct{}, 1)}
	p.turn <- struct{}{}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", p.serveGroups)
	mux.HandleFunc("GET /group", p.serveGroup)
	mux.HandleFunc("GET /live", p.serveLive)
	mux.HandleFunc("GET /policy", p.servePolicy)
	mux.HandleFunc("GET /health", p.serveHealth)
	mux.HandleFunc("GET /style.css", serveStyle)
	mux.HandleFunc("GET /", p.serveNothing)
	return secured(mux)
}

// secured sets the headers of every answer: the browser loads only this
// origin's style, runs nothing, and shows the page in no frame.
func secured(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		SecureHeaders(w.Header())
		next.ServeHTTP(w, r)
	})
}

// SecureHeaders sets the headers that keep a browser from running, loading or
// framing anything. The referrer stays within the origin. Without a referrer,
// browsers would also leave out the origin of a form.
func SecureHeaders(h http.Header) {
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
}

// alone calls fn while no other view reads. fn must not write to the viewer, because a
// slow viewer would make the others wait. alone returns false if ctx ended before fn ran.
func (p *reviewPage) alone(ctx context.Context, fn func()) bool {
	select {
	case <-p.turn:
	case <-ctx.Done():
		return false
	}
	defer func() { p.turn <- struct{}{} }()
	fn()
	return true
}

// review returns the review of a filter, read to the end of the journal. It must
// run inside alone. Together with an error, it may return a review of the part
// that could be read.
func (p *reviewPage) review(ctx context.Context, f denials.Filter) (*denials.Review, error) {
	files, err := p.Files()
	if err != nil {
		return nil, err
	}
	var run *denials.Review
	var kept []cached
	for _, c := range p.cache {
		if c.key == f {
			run = c.run
		} else {
			kept = append(kept, c)
		}
	}
	if run == nil {
		if run, err = denials.NewReview(f); err != nil {
			return nil, err
		}
	}
	p.cache = trim(kept)
	err = run.Read(ctx, files, nil)
	p.cache = append(p.cache, cached{f, run, run.Size()})
	return run, err
}

// trim drops the oldest reviews until the others fit into cachedMax and keptMax.
func trim(list []cached) []cached {
	size := 0
	for i := len(list) - 1; i >= 0; i-- {
		if size += list[i].size; size > keptMax || len(list)-i >= cachedMax {
			return append([]cached(nil), list[i+1:]...)
		}
	}
	return list
}

// site returns the configuration in force, or nil if it is unknown.
func (p *reviewPage) site() *denials.Site {
	if p.Site == nil {
		return nil
	}
	return p.Site()
}

// begin sets the time limit of one view.
func begin(w http.ResponseWriter, r *http.Request) (context.Context, context.CancelFunc) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(scanTime)) // without a configuration, none is needed
	return context.WithTimeout(r.Context(), scanTime)
}

// notes returns notes on the lines and files that a scan could not read.
func notes(rep *journal.Report, err error) []string {
	var out []string
	if err != nil && !errors.Is(err, context.Canceled) {
		out = append(out, "part of the journal could not be read: "+err.Error())
	}
	for _, p := range rep.Problems[:min(len(rep.Problems), 3)] {
		out = append(out, p.String())
	}
	if n := rep.Skipped; n > 3 {
		out = append(out, grouped(n)+" lines are not records and were skipped")
	}
	return out
}
