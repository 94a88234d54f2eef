// Table: all open flows, with their limits.

package datagram

import (
	"cmp"
	"context"
	"maps"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"sallyport/rules"
	"sallyport/rules/quota"
)

// Headroom is the number of free bytes in front of each reply, for the header of the client's
// protocol.
const Headroom = 32

// MaxContent is the longest content of a datagram over UDP and IP.
const MaxContent = 1<<16 - 1

// Config is everything that a Table works with. Gate and Resolve are required.
type Config struct {
	// Gate answers every attempt and records the answer.
	Gate rules.Gate
	// Generation returns the generation in force. nil: the Gate chooses one at each question.
	Generation func() *rules.Generation
	// NextFlow numbers flows. nil: they have no number.
	NextFlow func() uint64
	// Closed, if not nil, is called with the end of each permitted flow.
	Closed func(rules.Close)
	// Resolve returns the addresses of the attempt's destination that the decision reaches, at
	// least one, and the attempt with what was learned. The error is a *Failure, or Denied.
	Resolve func(context.Context, rules.Decision, rules.Attempt) ([]netip.Addr, rules.Attempt, error)
	// Connect returns a socket that is connected to the address. nil: a socket of this host.
	// Tests replace it, together with Remote.
	Connect func(context.Context, netip.AddrPort) (*net.UDPConn, error)
	// Remote returns the address that a socket is connected to. nil: the kernel is asked.
	Remote func(*net.UDPConn) netip.AddrPort
	// Draining reports whether new flows are denied because the process ends. nil: never.
	Draining func() bool
	// Panicked is called with the value of a recovered panic of a flow. nil: panics go on.
	Panicked func(v any, last rules.Attempt)

	Flows int           // open flows of all clients together, 1024; a quarter of them for one client
	Idle  time.Duration // no datagram in either direction, 2 min
	Dial  time.Duration // resolving and connecting, 10 s
}

// quotaParts is the number of parts of Config.Flows. One client may use one part.
const quotaParts = 4

// Quota returns how many flows one client may have, if all clients together may have flows.
func Quota(flows int) int { return max(flows/quotaParts, 1) }

// A Table holds the open flows of a process.
type Table struct {
	cfg    Config
	base   context.Context // ends with Close
	stop   context.CancelFunc
	quota  *quota.Table[rules.QuotaKey]
	total  traffic // of the flows that ended
	drops  [dropCount]atomic.Uint64
	buffer sync.Pool

	mu   sync.Mutex
	open map[*flow]struct{}
}

// New returns a Table without flows.
func New(cfg Config) *Table {
	cfg.Flows = cmp.Or(max(cfg.Flows, 0), 1024)
	cfg.Idle = cmp.Or(max(cfg.Idle, 0), 2*time.Minute)
	cfg.Dial = cmp.Or(max(cfg.Dial, 0), 10*time.Second)
	if cfg.Generation == nil {
		cfg.Generation = func() *rules.Generation { return nil }
	}
	if cfg.NextFlow == nil {
		cfg.NextFlow = func() uint64 { return 0 }
	}
	if cfg.Closed == nil {
		cfg.Closed = func(rules.Close) {}
	}
	if cfg.Connect == nil {
		cfg.Connect = connect
	}
	if cfg.Remote == nil {
		cfg.Remote = remote
	}
	if cfg.Draining == nil {
		cfg.Draining = func() bool { return false }
	}
	t := &Table{cfg: cfg, quota: quota.New[rules.QuotaKey](cfg.Flows, Quota(cfg.Flows)), open: map[*flow]struct{}{}}
	t.buffer.New = func() any { return new([Headroom + MaxContent]byte) }
	t.base, t.stop = context.WithCancel(context.Background())
	return t
}

// SetFlows changes the limit of open flows, and with it the quota of each client. Open flows stay.
func (t *Table) SetFlows(n int) { t.quota.Set(n, Quota(n)) }

// Recheck asks the generation in force about every open flow, closes the flows that it denies, and
// returns their number. The question is not recorded. The end of each closed flow is recorded,
// with cause "policy", or with cause "expired" if the rule that permitted it has expired.
func (t *Table) Recheck() int {
	n := 0
	for _, f := range t.all() {
		if f.outdated() {
			n++
		}
	}
	return n
}

// Close ends every flow, and no new one begins. It does not wait: Group.Close waits.
func (t *Table) Close(cause rules.Cause) {
	for _, f := range t.all() {
		f.abort(cause)
	}
	t.stop()
}

// all returns the flows that exist now, also those that are not connected yet.
func (t *Table) all() []*flow {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Collect(maps.Keys(t.open))
}

func (t *Table) add(f *flow) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.open[f] = struct{}{}
}

func (t *Table) remove(f *flow) {
	t.mu.Lock()
	delete(t.open, f)
	t.total.add(&f.traffic) // under the lock, so that Stats never counts less than before
	t.mu.Unlock()
	t.quota.Release(f.owner)
}
