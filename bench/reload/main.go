// Reload measures what a reload of a long list costs the requests that go on meanwhile. It
// starts sallyport with a list of names, sends requests at a steady rate, replaces the list
// several times, and prints a histogram of the times from the planned start of each request
// to its answer.
//
//	go run ./reload -sallyport /tmp/sallyport -names 1000000
package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

const config = `[listen]
http = ["%s"]
[dns]
upstreams = ["udp://127.0.0.1:9"]
[journal]
path = "denials.jsonl"
[process]
hardening = "off"
[[client]]
name = "c"
sources = ["127.0.0.0/8"]
profiles = []
[[rule]]
id = "r"
client = "c"
reason = "bench"
to_files = ["allow.txt"]
tcp = [443]
`

func main() {
	binary := flag.String("sallyport", "", "the program to measure")
	names := flag.Int("names", 1_000_000, "names in the list")
	rate := flag.Int("rate", 1000, "requests per second")
	reloads := flag.Int("reloads", 5, "replacements of the list")
	flag.Parse()
	dir, err := os.MkdirTemp("", "reload")
	must(err)
	defer os.RemoveAll(dir)
	addr := freeAddress()
	writeLists(dir, *names, *reloads)
	replace(dir, 0)
	file := filepath.Join(dir, "sallyport.toml")
	must(os.WriteFile(file, fmt.Appendf(nil, config, addr), 0o600))
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, *binary, "run", "--config", file)
	lines, err := cmd.StderrPipe()
	must(err)
	must(cmd.Start())
	defer func() { cancel(); _ = cmd.Wait() }()
	reloaded := make(chan time.Time, 100)
	go follow(lines, reloaded)
	waitFor(addr)

	quiet := measure(addr, *rate, 10*time.Second)
	print("without a reload", quiet)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range *reloads {
			replace(dir, i+1)
			at := time.Now()
			select {
			case t := <-reloaded:
				fmt.Printf("reload %d was in force %.1f s after the list was replaced\n", i+1, t.Sub(at).Seconds())
			case <-time.After(time.Minute):
				log.Fatal("no reload within a minute")
			}
		}
	}()
	var busy []time.Duration
	for running := true; running; {
		busy = append(busy, measure(addr, *rate, time.Second)...)
		select {
		case <-done:
			running = false
		default:
		}
	}
	print(fmt.Sprintf("during %d reloads", *reloads), busy)
}

// measure sends requests at a rate. A request that starts late counts from its planned start.
func measure(addr string, rate int, span time.Duration) []time.Duration {
	const workers = 64
	jobs := make(chan time.Time, rate)
	var mu sync.Mutex
	var out []time.Duration
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			c, err := net.Dial("tcp", addr)
			must(err)
			defer c.Close()
			r := bufio.NewReader(c)
			for planned := range jobs {
				host := fmt.Sprintf("x%d.denied.test", rand.IntN(1<<30))
				_, err := fmt.Fprintf(c, "GET http://%s/ HTTP/1.1\r\nHost: %[1]s\r\n\r\n", host)
				must(err)
				resp, err := http.ReadResponse(r, nil)
				must(err)
				_, _ = io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
				if resp.StatusCode != http.StatusForbidden {
					log.Fatalf("%s: %s", host, resp.Status)
				}
				mu.Lock()
				out = append(out, time.Since(planned))
				mu.Unlock()
				if resp.Close {
					c.Close()
					c, err = net.Dial("tcp", addr)
					must(err)
					r.Reset(c)
				}
			}
		})
	}
	start := time.Now()
	for i := range int(span.Seconds() * float64(rate)) {
		planned := start.Add(time.Duration(i) * time.Second / time.Duration(rate))
		time.Sleep(time.Until(planned))
		jobs <- planned
	}
	close(jobs)
	wg.Wait()
	return out
}

// print prints a histogram.
func print(what string, times []time.Duration) {
	fmt.Printf("%s: %d requests\n", what, len(times))
	left := times
	for _, limit := range []time.Duration{time.Millisecond, 2 * time.Millisecond, 5 * time.Millisecond, 10 * time.Millisecond, 20 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond, time.Hour} {
		var above []time.Duration
		for _, d := range left {
			if d > limit {
				above = append(above, d)
			}
		}
		if n := len(left) - len(above); limit == time.Hour {
			fmt.Printf("  above     %8d\n", n)
		} else {
			fmt.Printf("  to %6v %8d\n", limit, n)
		}
		left = above
	}
}

// writeLists writes the list and its replacements, which differ in the last name. It writes all
// of them before the measurement, in which a long write would delay requests.
func writeLists(dir string, names, reloads int) {
	var b []byte
	for i := range names - 1 {
		b = fmt.Appendf(b, "host%d.zone%d.%s\n", i, i/20, []string{"com", "net", "org", "co.uk"}[i%4])
	}
	for version := range reloads + 1 {
		must(os.WriteFile(listPath(dir, version), fmt.Appendf(b[:len(b):len(b)], "version%d.example\n", version), 0o600))
	}
}

func listPath(dir string, version int) string {
	return filepath.Join(dir, fmt.Sprintf("allow.txt.%d", version))
}

// replace replaces the list.
func replace(dir string, version int) {
	must(os.Rename(listPath(dir, version), filepath.Join(dir, "allow.txt")))
}

// follow reads the log and reports each reload.
func follow(lines io.Reader, reloaded chan<- time.Time) {
	s := bufio.NewScanner(lines)
	for s.Scan() {
		switch {
		case strings.Contains(s.Text(), "reload refused"):
			log.Fatal(s.Text())
		case strings.Contains(s.Text(), "msg=reloaded"):
			reloaded <- time.Now()
		}
	}
}

func waitFor(addr string) {
	for range 600 {
		if c, err := net.Dial("tcp", addr); err == nil {
			c.Close()
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	log.Fatal("sallyport does not listen")
}

func freeAddress() string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	defer l.Close()
	return l.Addr().String()
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
