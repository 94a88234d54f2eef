// Relay benchmark: CPU per byte against a bare io.Copy relay.

package relay

import (
	"io"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"

	"sallyport/proxy/proxytest"
)

// BenchmarkRelay moves 1 GiB per operation and reports the CPU time of the whole process.
// Sender and receiver are the same for both relays.
func BenchmarkRelay(b *testing.B) {
	b.Run("sallyport", func(b *testing.B) { benchRelay(b, benchSallyport) })
	b.Run("io.Copy", func(b *testing.B) { benchRelay(b, benchCopy) })
}

func benchRelay(b *testing.B, start func(client, origin *net.TCPConn)) {
	const size = 1 << 30
	b.SetBytes(size)
	cpu := cpuTime(b)
	for b.Loop() {
		client, c := proxytest.TCPPair(b)
		u, origin := proxytest.TCPPair(b)
		start(c, u)
		go func() {
			buf := make([]byte, 256<<10)
			for left := size; left > 0; left -= len(buf) {
				if _, err := origin.Write(buf); err != nil {
					b.Error(err)
				}
			}
			origin.Close()
		}()
		buf := make([]byte, 256<<10)
		for {
			if _, err := client.Read(buf); err != nil {
				break
			}
		}
		client.Close()
	}
	b.ReportMetric((cpuTime(b)-cpu).Seconds()/float64(b.N), "cpu-s/GiB")
}

func benchSallyport(c, u *net.TCPConn) {
	r := &relayed{near: c, far: u, closes: make(chan closed, 1)}
	go r.run(generous())
}

func benchCopy(c, u *net.TCPConn) {
	var wg sync.WaitGroup
	wg.Add(2)
	go func() { defer wg.Done(); io.Copy(u, c); u.CloseWrite() }()
	go func() { defer wg.Done(); io.Copy(c, u); c.CloseWrite() }()
	go func() { wg.Wait(); c.Close(); u.Close() }()
}

func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
