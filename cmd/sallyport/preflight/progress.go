// Progress: reports how far a run is. It repeats the report while no
// destination ends, so that a slow run does not look like a run that hangs.

package preflight

import (
	"sync"
	"time"
)

type progress struct {
	report func(done, total int) // nil: no reports
	total  int
	mu     sync.Mutex
	done   int
}

// more counts n destinations that are done.
func (p *progress) more(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.done += n; p.report != nil {
		p.report(p.done, p.total)
	}
}

// repeat repeats the last report at each tick, until stop returns.
func (p *progress) repeat(tick <-chan time.Time) (stop func()) {
	ended := make(chan struct{})
	var reporting sync.WaitGroup
	reporting.Go(func() {
		for {
			select {
			case <-tick:
				p.more(0)
			case <-ended:
				return
			}
		}
	})
	return func() { close(ended); reporting.Wait() }
}
