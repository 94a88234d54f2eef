// Output: what a Sender needs of a receiver's protocol.

package sink

import (
	"context"
	"time"

	"sallyport/denials/journal"
)

// An output delivers messages to one receiver. It connects when it sends, and connects again after
// close.
type output interface {
	// message returns a record as the receiver wants it. line is the record's line in the journal.
	message(r *journal.Record, line []byte) []byte
	// send gives messages to the receiver. After an error, some of them may have arrived.
	send(ctx context.Context, messages [][]byte) error
	// check returns why the connection ended since the last send; nil: it works, or there is none.
	check() error
	// written returns how many octets were sent so far, and acked how many of them the receiver's
	// kernel has.
	written() int64
	acked() int64
	// hold returns how long a connection must work afterwards for its messages to count as delivered.
	hold() time.Duration
	// finish ends the connection and waits for the receiver to end it too: nil means that it has
	// read everything.
	finish(ctx context.Context) error
	close()
}

// newOutput returns the output of a sink.
func newOutput(cfg Config) output {
	return &stream{cfg: cfg, syslog: syslog{facility: cfg.Sink.Facility, host: printable(cfg.Host, 255), version: cfg.Version}}
}
