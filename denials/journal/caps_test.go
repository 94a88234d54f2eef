// Tests that no record is longer than a line may be.

package journal

import (
	"strings"
	"testing"
	"time"
)

// A record with every value at its cap, and every number at its largest, fits
// into one line.
func TestLongestLine(t *testing.T) {
	many := make([]string, capList+1)
	for i := range many {
		many[i] = strings.Repeat("n", 253)
	}
	long := strings.Repeat("x", MaxLine)
	r := Record{Schema: 2, Time: time.Date(9999, 12, 31, 23, 59, 59, 999999000, time.UTC), Seq: 1<<64 - 1, Boot: long, Event: EventClose, Verdict: long,
		Mode: long, Via: long, Client: long, ClientName: long, Profile: long, Host: long, HostRaw: long, Port: 65535, Proto: long, SNI: long,
		OriginalDst: long, Mismatch: true, Resolved: many, Dialed: long, ECH: true, Reason: long, Detail: long, Rule: long, Source: long,
		Nearest: long, Hint: long, Count: 1<<64 - 1, BytesIn: 1<<64 - 1, BytesOut: 1<<64 - 1, DurationMS: 1<<63 - 1, Flow: 1<<64 - 1,
		Question: Question{ClientPort: 65535, SourceProven: true, Authority: long, Dest: long, QType: long, HTTPHost: long, Shown: long, ByAddress: true, HostIgnored: true,
			Pinned: many, Provisional: true, Fault: long, Omitted: 1<<32 - 1}}
	line := r.Append(nil)
	var back Record
	if err := newDecoder().decode(line, &back); err != nil || !back.Truncated {
		t.Errorf("%v, truncated %t", err, back.Truncated)
	}
	if len(line) > MaxLine || len(line) < MaxLine-2048 {
		t.Errorf("the longest line has %d octets of %d: the caps do not fit", len(line), MaxLine)
	}
}
