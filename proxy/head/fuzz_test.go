// Tests that compare Parse with net/http on arbitrary bytes, and a benchmark of Parse.

package head

import (
	"bufio"
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sallyport/rules"
)

func BenchmarkHead(b *testing.B) {
	text := []byte("CONNECT download.sangfor.com:443 HTTP/1.1\r\nHost: download.sangfor.com:443\r\nUser-Agent: curl/8.15.0\r\nProxy-Connection: Keep-Alive\r\n\r\n")
	b.ReportAllocs()
	for b.Loop() {
		Parse(text)
	}
}

// FuzzHead: net/http accepts what Parse accepts, and reads the same method, host, path and
// framing.
func FuzzHead(f *testing.F) {
	for _, s := range []string{
		get(hostLine), target("/x?y=z"), connectTo("a.example:443"), post("Content-Length: 3\r\n") + "abc",
		post("Transfer-Encoding: chunked\r\nTrailer: X\r\n"), get("Host: [2001:db8::1]:80\r\nConnection: close, x\r\n"),
		"GET http://192.0.2.1 HTTP/1.0\r\n\r\n", target("http://a.example?q#"), post("Expect: 100-continue\r\n"),
		"GET / HTTP/1.1\nHost: a\n\n", get("Host: a.example\r\n b\r\n"), "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		get(hostLine + "Connection: Upgrade\r\nUpgrade: h2c, websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"),
		get(hostLine + "TE: gzip, trailers\r\nConnection: te, x\r\n"), "OPTIONS * HTTP/1.1\r\n" + hostLine + "Max-Forwards: 010\r\n\r\n",
		"TRACE / HTTP/1.0\r\n" + hostLine + "Max-Forwards: 99999999999999999999\r\n\r\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		h, fault, detail, more := Parse(b)
		if more && fault != 0 || fault != 0 && detail == "" {
			t.Fatalf("more %v, fault %v, detail %q", more, fault, detail)
		}
		if more || fault != 0 {
			return
		}
		r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(b[:h.Len])))
		if err != nil {
			t.Fatalf("net/http refuses what we accept: %v", err)
		}
		agrees(t, &h, r)
		asks(t, &h, r)
	})
}

// asks checks what a head asks of this proxy against net/http's reading of the fields.
func asks(t *testing.T, h *Head, r *http.Request) {
	t.Helper()
	lists := func(field, item string) bool {
		return slices.ContainsFunc(strings.Split(strings.Join(r.Header[field], ","), ","), func(s string) bool { return strings.EqualFold(strings.Trim(s, " \t"), item) })
	}
	if key := h.Upgrade(); key != "" && (r.Method != "GET" || r.ContentLength != 0 || !r.ProtoAtLeast(1, 1) || !lists("Connection", "upgrade") || !lists("Upgrade", "websocket") ||
		!slices.Equal(r.Header["Sec-Websocket-Key"], []string{key})) {
		t.Errorf("upgrade with key %q: %s, %d bytes, %v", key, r.Method, r.ContentLength, r.Header)
	}
	if h.Trailers() && !(lists("Te", "trailers") && lists("Connection", "te")) {
		t.Errorf("trailers: %v", r.Header)
	}
	if hops, counted := h.MaxForwards(); counted && (len(r.Header["Max-Forwards"]) != 1 || hops < 0 || hops > maxHops+1 || r.Method != "TRACE" && r.Method != "OPTIONS") {
		t.Errorf("%d hops: %s %v", hops, r.Method, r.Header)
	}
}

// agrees compares a head with net/http's reading.
func agrees(t *testing.T, h *Head, r *http.Request) {
	t.Helper()
	if !h.Covers(r) && h.Form != FormAuthority {
		t.Errorf("method or framing: we read %+v, net/http %q %d %v", h, r.Method, r.ContentLength, r.TransferEncoding)
	}
	theirs, ours, port := r.Host, h.Host, uint16(portHTTP)
	switch h.Form {
	case FormAbsolute:
		theirs, ours = r.URL.Host, h.Target
	case FormAuthority:
		theirs, ours, port = r.URL.Host, h.Target, 0
	}
	if a, err := rules.ParseAuthority(theirs, port); h.HasHost && (err != nil || a != ours) {
		t.Errorf("host: we read %v, net/http %q", ours, theirs)
	}
	if h.Form == FormOrigin && r.RequestURI != h.path {
		t.Errorf("path: we read %q, net/http %q", h.path, r.RequestURI)
	}
}

// TestCorpora checks that the seeds of every fuzz target are in the repository.
func TestCorpora(t *testing.T) {
	for _, target := range []string{"FuzzHead", "FuzzChunked", "FuzzLineScan"} {
		if files, err := os.ReadDir(filepath.Join("testdata", "fuzz", target)); err != nil || len(files) < 10 {
			t.Errorf("%s: %d files, %v", target, len(files), err)
		}
	}
}
