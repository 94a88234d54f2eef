// Test of the dashboard: it uses only metrics that the gateway has.

package gateway

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"sallyport/cmd/sallyport/series"
	"sallyport/dnsfilter"
	"sallyport/rules"
)

// A dashboard holds the parts of a dashboard that the test reads.
type dashboard struct {
	Title  string
	Panels []struct {
		ID      int
		Title   string
		GridPos struct{ X, Y, W, H int }
		Targets []struct{ Expr, LegendFormat string }
	}
	Templating struct {
		List []struct{ Query json.RawMessage }
	}
}

// observed returns the registry of a gateway after each event happened once.
func observed(t *testing.T) prometheus.Gatherer {
	t.Helper()
	path := filepath.Join(t.TempDir(), "site.toml")
	secret := filepath.Join(filepath.Dir(path), "secret")
	if err := os.WriteFile(secret, []byte(strings.Repeat("s", 32)), 0o600); err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("[journal]\npath = %q\n[[parent]]\nname = \"p\"\nurl = \"http://10.9.9.9:3128\"\nhealth = \"30s\"\n[[sink]]\ntype = \"syslog\"\nurl = \"tcp://127.0.0.1:1\"\n[dns]\nupstreams = [\"udp://127.0.0.1:1\"]\nsynthetic = [\"198.18.0.0/15\"]\nsynthetic_secret_file = %q\n[[client]]\nname = \"c\"\nsources = [\"10.0.0.0/8\"]\nprofiles = [\"endpoint-secure-onprem\"]\n",
		filepath.Join(t.TempDir(), "denials.jsonl"), secret)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	g, _ := openGateway(t, path)
	g.metrics.decided(rules.Attempt{Via: rules.ViaConnect}, rules.Decision{}, false)
	g.metrics.answered(dnsfilter.Answer{Count: 1})
	g.metrics.tried(dnsfilter.UpstreamTry{})
	g.metrics.unreached.WithLabelValues("refused")
	g.sinks.change(g.sinks.orders.Add(1), g.cfg.Sinks)
	return g.metrics.registry
}

// exposed lists the names of the gathered metrics with their labels.
func exposed(t *testing.T) map[string][]string {
	t.Helper()
	families, err := observed(t).Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]string{}
	for _, f := range families {
		labels := []string{"instance", "le"}
		for _, l := range f.GetMetric()[0].GetLabel() {
			labels = append(labels, l.GetName())
		}
		out[f.GetName()] = labels
		if f.GetMetric()[0].GetHistogram() != nil {
			out[f.GetName()+"_bucket"] = labels
		}
	}
	return out
}

// Each metric that the gateway exposes has a description, with its type and labels,
// and each description has a metric.
func TestMetricsAreDescribed(t *testing.T) {
	seen := map[string]bool{ // metrics that this gateway does not expose
		"sallyport_filter_journaled": true, "sallyport_filter_packets_total": true,
		"sallyport_policy_next_expiry_timestamp_seconds": true, "sallyport_tls_expiry_timestamp_seconds": true, "sallyport_hardening_info": true,
	}
	families, err := observed(t).Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if !strings.HasPrefix(f.GetName(), "sallyport_") {
			continue
		}
		seen[f.GetName()] = true
		m, ok := series.Named(f.GetName())
		var labels []string
		for _, l := range f.GetMetric()[0].GetLabel() {
			labels = append(labels, l.GetName())
		}
		want := slices.Sorted(slices.Values(m.Labels))
		if !ok || !strings.EqualFold(f.GetType().String(), m.Type) || !slices.Equal(labels, want) || f.GetHelp() != m.PlainHelp() {
			t.Errorf("%s is a %s with the labels %q and the help %q; described as %+v", f.GetName(), f.GetType(), labels, f.GetHelp(), m)
		}
	}
	for _, m := range series.All() {
		if !seen[m.Name] {
			t.Errorf("%s is described and not exposed", m.Name)
		}
	}
}

func TestDashboardShowsWhatIsExposed(t *testing.T) {
	data, err := os.ReadFile("../../../deploy/grafana/sallyport.json")
	if err != nil {
		t.Fatal(err)
	}
	var d dashboard
	if err := json.Unmarshal(data, &d); err != nil {
		t.Fatal(err)
	}
	metrics := exposed(t)
	name := regexp.MustCompile(`\b(?:sallyport|process|go)_\w+`)
	label := regexp.MustCompile(`by ?\(([^)]*)\)|[{,](\w+)=|\{\{(\w+)\}\}`)
	used := map[string]bool{}
	ids := map[int]bool{}
	for _, p := range d.Panels {
		if ids[p.ID] || p.GridPos.X+p.GridPos.W > 24 || len(p.Targets) == 0 {
			t.Errorf("panel %q: an ID twice, no room, or nothing to show", p.Title)
		}
		ids[p.ID] = true
		for _, target := range p.Targets {
			names := name.FindAllString(target.Expr, -1)
			if len(names) == 0 {
				t.Errorf("panel %q asks for nothing: %s", p.Title, target.Expr)
			}
			for _, n := range names {
				used[strings.TrimSuffix(n, "_bucket")] = true
				if metrics[n] == nil {
					t.Errorf("panel %q: there is no metric %s", p.Title, n)
				}
			}
			for _, m := range label.FindAllStringSubmatch(target.Expr+" "+target.LegendFormat, -1) {
				for l := range strings.SplitSeq(m[1]+","+m[2]+","+m[3], ",") {
					if l = strings.TrimSpace(l); l != "" && len(names) > 0 && !slices.Contains(metrics[names[0]], l) {
						t.Errorf("panel %q: %s has no label %s", p.Title, names[0], l)
					}
				}
			}
		}
	}
	for _, v := range d.Templating.List {
		for _, n := range name.FindAllString(string(v.Query), -1) {
			if metrics[n] == nil {
				t.Errorf("a variable: there is no metric %s", n)
			}
		}
	}
	for _, n := range []string{"sallyport_decisions_total", "sallyport_journal_up", "sallyport_dns_upstream_up", "sallyport_policy_current", "sallyport_panics_total"} {
		if !used[n] {
			t.Errorf("no panel shows %s", n)
		}
	}
}
