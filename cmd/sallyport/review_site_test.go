// A running site: serves a configuration inside the test process, asks it through
// its proxy, and reads its admin page.

package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"sallyport/cmd/sallyport/admin"
	"sallyport/cmd/sallyport/gateway"
)

// serveSite serves the configuration in a file until ctx ends, as run does. It
// looks for changes of the file a hundred times a second.
func serveSite(ctx context.Context, t *testing.T, file string) <-chan error {
	t.Helper()
	source := gateway.NewSource(file, strings.NewReader(""))
	cfg, _, err := source.LoadToRun()
	if err != nil {
		t.Fatal(err)
	}
	sockets, err := gateway.Listen(ctx, cfg.Listen, nil)
	if err != nil {
		t.Fatal(err)
	}
	g, err := gateway.Open(gateway.Options{
		Source: source, Config: cfg, Sockets: sockets, Admin: admin.New, ResolvConf: gateway.ResolvConf,
		Now: time.Now, Poll: 10 * time.Millisecond, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		sockets.Close()
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		defer sockets.Close()
		g.Start(ctx)
		ended <- errors.Join(g.Run(ctx, gateway.Signals{}), g.Close())
	}()
	return ended
}

// cli returns the output of a command.
func cli(t *testing.T, args ...string) []byte {
	t.Helper()
	var out, diag bytes.Buffer
	if code := execute(t.Context(), args, strings.NewReader(""), &out, &diag); code != 0 {
		t.Fatalf("%v: exit %d: %s", args, code, diag.String())
	}
	return out.Bytes()
}

// onPage returns the text of the review page about the one group that a form
// selects. Like a reviewer, it goes through the list to the group's own view.
func onPage(t *testing.T, socket string, form url.Values) string {
	t.Helper()
	groups, _ := adminView(t, socket, "/?"+form.Encode())
	var links []string
	for n := range groups.Descendants() {
		for _, a := range n.Attr {
			if n.Data == "a" && a.Key == "href" && strings.HasPrefix(a.Val, "/group?") {
				links = append(links, a.Val)
			}
		}
	}
	if len(links) != 1 {
		t.Fatalf("%v selects the groups %q", form, links)
	}
	_, text := adminView(t, socket, links[0])
	return text
}

// adminView returns one view of the admin listener, and its text on one line.
func adminView(t *testing.T, socket, path string) (*html.Node, string) {
	t.Helper()
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}
	c := http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}, Timeout: 20 * time.Second}
	res, err := c.Get("http://localhost" + path)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	doc, err := html.Parse(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s %v", path, res.Status, err)
	}
	var text strings.Builder
	for n := range doc.Descendants() {
		if n.Type == html.TextNode {
			text.WriteString(n.Data)
		}
	}
	return doc, strings.Join(strings.Fields(text.String()), " ")
}

// freeAddress returns an address of this host on which no process listens.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// status returns the status of the gateway's answer to a CONNECT from an address of
// ours; 0: it does not answer.
func status(t *testing.T, proxy, from, dest string) int {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: 5 * time.Second}
	c, err := d.DialContext(t.Context(), "tcp", proxy)
	if err != nil {
		return 0
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	fmt.Fprintf(c, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n", dest, dest)
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return 0
	}
	defer res.Body.Close()
	return res.StatusCode
}

// waitStatus asks until the gateway gives the expected answer. The gateway notices
// a changed file within seconds.
func waitStatus(t *testing.T, proxy, from, dest string, want int) {
	t.Helper()
	got := 0
	waitFor(t, fmt.Sprintf("%s from %s is answered by %d", dest, from, want), func() bool {
		got = status(t, proxy, from, dest)
		return got == want
	})
}

func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("not within 20 s: %s", what)
}
