// Growth: how the cost of a unit of work grows with the clients that work at once, and with the
// names in the policy.

package main

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// The steps of both axes.
var (
	growthClients = []int{1, 4, 16, 64}
	growthNames   = []int{100, 10_000, 100_000}
)

// A growthRow is a kind of work that is measured at each step.
type growthRow struct {
	name string
	n    int
	run  func(r *running, n, clients int) (errs int)
}

var growthRows = []growthRow{
	{"connect", 1500, func(r *running, n, clients int) int {
		return parallel(n, clients, func(i int) error { return tunnelOnce(r.proxy, names[i%7]) })
	}},
	{"denied", 3000, func(r *running, n, clients int) int {
		return parallel(n, clients, func(i int) error { return deniedOnce(r.proxy, fmt.Sprintf("n%d.denied.test", i%500)) })
	}},
	{"http1", 6000, func(r *running, n, clients int) int { return getMany(r.proxy, n, clients, false) }},
	{"http", 6000, func(r *running, n, clients int) int { return getMany(r.proxy, n, clients, true) }},
	{"dns-cached", 100_000, func(r *running, n, _ int) int {
		return askMany(r.dns, n, func(i int) string { return names[i%7] })
	}},
}

// A point is the cost of one row at one step, in microseconds of CPU time for a unit of work.
type point struct {
	row     string
	clients int // 0: a step of names
	names   int
	cost    float64
}

// growth measures every row at every step, in rounds, and writes the picture.
func (b *bench) growth(file string, rounds int) error {
	samples := map[point][]float64{}
	for range rounds {
		for _, n := range growthNames {
			if err := b.growthOf(n, samples); err != nil {
				return err
			}
		}
	}
	var points []point
	for p, s := range samples {
		slices.Sort(s)
		p.cost = s[len(s)/2]
		points = append(points, p)
	}
	slices.SortFunc(points, func(x, y point) int {
		return cmp.Or(cmp.Compare(x.row, y.row), cmp.Compare(x.clients, y.clients), cmp.Compare(x.names, y.names))
	})
	for _, p := range points {
		fmt.Printf("%-12s %3d clients %7d names %8.1f µs\n", p.row, cmp.Or(p.clients, 32), p.names, p.cost)
	}
	return os.WriteFile(file, []byte(drawGrowth(points)), 0o644)
}

// growthOf measures with n names in the policy. The steps of clients are measured with the fewest.
func (b *bench) growthOf(n int, samples map[point][]float64) error {
	r, err := b.start(peer{"sallyport", proxyAddr, dnsAddr, false, func(b *bench, dir string) ([]string, error) {
		return sallyportWith(b, dir, n)
	}})
	if err != nil {
		return err
	}
	defer r.stop()
	for _, row := range growthRows {
		one := func(p point, clients int) {
			count := max(1, int(float64(row.n)*b.scale))
			row.run(r, max(1, count/20), clients) // warm up
			before := r.cpu()
			errs := row.run(r, count, clients)
			p.cost = 0
			if cost := (r.cpu() - before) / float64(count) * 1e6; errs == 0 {
				samples[p] = append(samples[p], cost)
			}
		}
		one(point{row: row.name, names: n}, 32)
		for _, clients := range growthClients {
			if n == growthNames[0] && row.name != "dns-cached" {
				one(point{row: row.name, names: n, clients: clients}, clients)
			}
		}
	}
	return nil
}

// sallyportWith is sallyport with n more names, in a list file.
func sallyportWith(b *bench, dir string, n int) ([]string, error) {
	args, err := sallyport(b, dir)
	if err != nil {
		return nil, err
	}
	var list strings.Builder
	for i := range n {
		fmt.Fprintf(&list, "h%d.many%d.example\n", i, i%1000)
	}
	if err := os.WriteFile(filepath.Join(dir, "many.txt"), []byte(list.String()), 0o644); err != nil {
		return nil, err
	}
	text, err := os.ReadFile(filepath.Join(dir, "c"))
	if err != nil {
		return nil, err
	}
	more := "[[rule]]\nid = 'many'\nclient = 'bench'\nreason = 'benchmark'\ntcp = [443]\nto_files = ['many.txt']\n"
	return args, write(dir, string(text)+more)
}
