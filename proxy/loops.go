// Loops: the running accept loops, and the loops that read datagrams. A drain waits for the last
// connection of the accept loops, and a watchdog checks that all loops still run.

package proxy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"sallyport/rules"
)

// A boundSocket is a net.Listener, or a socket for datagrams.
type boundSocket interface{ Addr() net.Addr }

// An acceptLoop is one run of serve, or a loop that reads datagrams.
type acceptLoop struct {
	l     boundSocket
	via   rules.Via
	turns atomic.Uint64 // how often Accept or a read has returned
	ended chan struct{}
}

// loopTable holds the accept loops that run.
type loopTable struct {
	mu      sync.Mutex
	running map[*acceptLoop]struct{}
}

// enter registers a loop. The caller must call leave.
func (t *loopTable) enter(l boundSocket, via rules.Via) *acceptLoop {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.running == nil {
		t.running = make(map[*acceptLoop]struct{})
	}
	loop := &acceptLoop{l: l, via: via, ended: make(chan struct{})}
	t.running[loop] = struct{}{}
	return loop
}

func (t *loopTable) leave(loop *acceptLoop) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.running, loop)
	close(loop.ended)
}

func (t *loopTable) all() []*acceptLoop {
	t.mu.Lock()
	defer t.mu.Unlock()
	var loops []*acceptLoop
	for loop := range t.running {
		loops = append(loops, loop)
	}
	return loops
}

// wait returns when every accept loop has ended, or ctx has. A loop that reads datagrams goes on
// during a drain, for the flows that are open.
func (t *loopTable) wait(ctx context.Context) {
	for _, loop := range t.all() {
		if loop.via == rules.ViaUDP {
			continue
		}
		select {
		case <-loop.ended:
		case <-ctx.Done():
		}
	}
}

// Alive wakes every accept loop and waits until Accept has returned in each of them. It returns an
// error for each loop where Accept has not returned when ctx ends: that loop hangs, and its
// clients are not served.
func (p *Proxy) Alive(ctx context.Context) error {
	loops := p.loops.all()
	errs := make([]error, len(loops))
	var asked sync.WaitGroup
	for i, loop := range loops { // all at once: a loop that hangs takes no time from the others
		asked.Go(func() { errs[i] = loop.alive(ctx) })
	}
	asked.Wait()
	return errors.Join(errs...)
}

// wakeable is the method of *net.TCPListener that makes a blocked Accept return.
type wakeable interface{ SetDeadline(time.Time) error }

func (loop *acceptLoop) alive(ctx context.Context) error {
	w, ok := loop.l.(wakeable)
	if !ok {
		return nil // its Accept cannot be woken
	}
	before := loop.turns.Load()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for loop.turns.Load() == before {
		w.SetDeadline(time.Unix(1, 0)) // repeated: woken may have undone an earlier call
		select {
		case <-tick.C:
		case <-loop.ended:
			return nil
		case <-ctx.Done():
			return fmt.Errorf("the %s listener %v accepts nothing", loop.via, loop.l.Addr())
		}
	}
	return nil
}

// woken removes the deadline that Alive has set.
func (loop *acceptLoop) woken() {
	if w, ok := loop.l.(wakeable); ok {
		w.SetDeadline(time.Time{})
	}
}
