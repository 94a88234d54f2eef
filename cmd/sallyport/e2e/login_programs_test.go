//go:build linux

// Login programs: Java, node and Chromium answer the 407 of sallyport with their login. Without a
// login they show that the proxy wants one.

package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/fetch"
	"github.com/chromedp/chromedp"
)

// loginPrograms fetch with the login in $LOGIN, which is empty or "alice:open sesame".
func loginPrograms() []program {
	javaLogin := func(class string) string {
		return java + `-Djdk.http.auth.tunneling.disabledSchemes= "$SCRIPTS/Login.java" ` + class + ` "$GATE" "$URL" ${LOGIN:+alice} ${LOGIN:+"open sesame"}`
	}
	node := `NODE_EXTRA_CA_CERTS="$CA" node "$SCRIPTS/login.mjs" "$URL" "$HTTP" "$LOGIN"`
	return []program{
		{name: "HttpClient", note: "asked by PROXY, basic, sallyport", trip: map[front]string{absolute: javaLogin("HttpClient"), connect: javaLogin("HttpClient")}},
		{name: "HttpURLConnection", note: "asked by PROXY, basic, sallyport", trip: map[front]string{absolute: javaLogin("HttpURLConnection"), connect: javaLogin("HttpURLConnection")}},
		{name: "node", note: `407 Basic realm="sallyport", charset="UTF-8"`, trip: map[front]string{absolute: node, connect: node}},
	}
}

// newLoginScene is a scene in which es-manager must log in.
func newLoginScene(t *testing.T) *scene {
	t.Helper()
	s := newScene(t, "gateway")
	s.lab.gateway.sysctl(t, "ipv4/ip_forward", "0")
	s.lab.gateway.sysctl(t, "ipv6/conf/all/forwarding", "0")
	s.g = newGateway(t, s.lab.gateway)
	if err := os.WriteFile(filepath.Join(s.g.dir, "users"), []byte("alice:"+aliceHash+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.g.configure(t, strings.Replace(configuration(fleet[:1]), "[[client]]\n", "[[client]]\nusers_file = \"users\"\n", 1))
	s.g.start(t, "run", "--config", "sallyport.toml")
	s.g.waitReady(t)
	return s
}

func TestLoginsOfPrograms(t *testing.T) {
	need(t, "java", "javac", "keytool", "node")
	s := newLoginScene(t)
	s.prepareTrips(t)
	for _, p := range loginPrograms() {
		for w, trip := range p.trip {
			t.Run(p.name+" "+string(w), func(t *testing.T) {
				p.trip = map[front]string{w: `LOGIN="alice:open sesame"; ` + trip}
				r := s.trip(t, p, w, permittedHost)
				if r.code != 0 || !strings.Contains(r.stdout, strings.TrimSpace(wholeText())) || !strings.Contains(r.stderr, p.note) {
					t.Errorf("with a login: %s", shortened(r))
				}
				mark, seen := s.g.journal().mark(), s.rec.mark(t)
				p.trip[w] = `LOGIN=; ` + trip
				r = s.trip(t, p, w, permittedHost)
				if out := r.all(); r.code == 0 || !strings.Contains(out, "407") && !strings.Contains(out, "No credentials provided") && !strings.Contains(out, "authentication") {
					t.Errorf("without a login: %s", shortened(r))
				}
				s.g.journal().mustDeny(t, mark, denial{host: permittedHost, reason: "unauthenticated"})
				for _, packet := range s.rec.since(t, seen) {
					if packet.dst.Port() != 53 && (packet.syn || len(packet.payload) > 0) {
						t.Errorf("without a login arrived %v", packet)
					}
				}
			})
		}
	}
}

// Chromium asks its user for a login, in a dialog. DevTools answer in place of the dialog.
func TestLoginOfChromium(t *testing.T) {
	need(t, "chromium", "nsenter")
	s := newLoginScene(t)
	s.prepareTrips(t)
	for _, url := range []string{"https://" + permittedHost + wholeFile, "http://" + permittedHost + wholeFile} {
		for _, c := range []struct{ login, shows string }{
			{"open sesame", strings.TrimSpace(wholeText())},
			{"", "ERR_HTTP_RESPONSE_CODE_FAILURE"}, // its own error page
		} {
			mark := s.g.journal().mark()
			shown, asked := s.chromiumAsked(t, url, c.login)
			if !strings.Contains(shown, c.shows) || !strings.Contains(asked, "Proxy http://"+gateway4+":3128 basic sallyport") {
				t.Errorf("%s, login %q: asked %q, shown %.300q", url, c.login, asked, shown)
			}
			s.g.journal().mustDeny(t, mark, denial{host: permittedHost, reason: "unauthenticated"})
		}
	}
}

// chromiumAsked opens a URL through the proxy, answers a challenge by alice and a password, or
// cancels it if there is none. It returns what the page shows, or the error, and the challenges.
func (s *scene) chromiumAsked(t *testing.T, url, password string) (shown, asked string) {
	t.Helper()
	limited, end := context.WithTimeout(t.Context(), 5*time.Minute)
	defer end()
	ctx, cancel := chromedp.NewContext(limited, chromiumIn(t, s.clients, chromedp.ProxyServer(httpDoor),
		chromedp.Flag("ignore-certificate-errors", true), chromedp.Flag("disable-background-networking", true)))
	defer cancel()
	var mu sync.Mutex
	answer := fetch.AuthChallengeResponse{Response: fetch.AuthChallengeResponseResponseCancelAuth}
	if password != "" {
		answer = fetch.AuthChallengeResponse{Response: fetch.AuthChallengeResponseResponseProvideCredentials, Username: "alice", Password: password}
	}
	err := chromedp.Listen(ctx, func(event any) {
		switch e := event.(type) {
		case *fetch.EventAuthRequired:
			mu.Lock()
			asked += fmt.Sprintln(e.AuthChallenge.Source, e.AuthChallenge.Origin, e.AuthChallenge.Scheme, e.AuthChallenge.Realm)
			mu.Unlock()
			go func() {
				_, _ = chromedp.Call(ctx, fetch.ContinueWithAuth, fetch.ContinueWithAuthParams{RequestID: e.RequestID, AuthChallengeResponse: &answer})
			}()
		case *fetch.EventRequestPaused:
			go func() {
				_, _ = chromedp.Call(ctx, fetch.ContinueRequest, fetch.ContinueRequestParams{RequestID: e.RequestID})
			}()
		}
	})
	if err != nil {
		t.Fatalf("chromium: %v", err)
	}
	yes := true
	if _, err := chromedp.Call(ctx, fetch.Enable, fetch.EnableParams{HandleAuthRequests: &yes}); err != nil {
		t.Fatal(err)
	}
	if err := chromedp.Do(ctx, chromedp.Navigate(url)); err != nil {
		shown = err.Error()
	}
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string]("document.body ? document.body.innerText : ''", chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	return shown + text, asked
}
