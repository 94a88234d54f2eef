// Tests of a direction that is stopped and resumed.

package relay

import (
	"io"
	"testing"
	"time"

	"sallyport/proxy/proxytest"
)

// The destination's direction stops between two bytes and goes on later, without a byte lost.
func TestRelayStopsAndResumes(t *testing.T) {
	t.Parallel()
	r := &relayed{closes: make(chan closed, 1)}
	r.client, r.near = proxytest.TCPPair(t)
	r.far, r.origin = proxytest.TCPPair(t)
	r.relay.Start(Config{Owner: r, Client: r.near, Destination: r.far, In: &r.in, Out: &r.out, Started: time.Now(), Limits: generous(), Buffers: new(Buffers)})
	defer r.relay.Finish()
	r.relay.StartDown()
	io.WriteString(r.origin, "before ")
	got := make([]byte, len("before "))
	if _, err := io.ReadFull(r.client, got); err != nil {
		t.Fatal(err)
	}
	if !r.relay.StopDown() {
		t.Fatal("the direction did not stop")
	}
	io.WriteString(r.origin, "after")
	if n := r.out.Load(); n != uint64(len(got)) {
		t.Errorf("%d bytes passed a stopped direction", n)
	}
	r.relay.ResumeDown()
	r.origin.CloseWrite()
	if rest, err := io.ReadAll(r.client); string(rest) != "after" || err != nil {
		t.Errorf("%q, %v", rest, err)
	}
	if err := r.relay.AwaitDown(); err != nil {
		t.Error(err)
	}
}
