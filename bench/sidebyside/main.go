// Command sidebyside measures sallyport next to the proxies and resolvers in
// common use, in one run. It measures the CPU time of the peer's process per
// unit of work. See ../README.md.
package main

import (
	"cmp"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"strings"
	"text/tabwriter"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("sidebyside: ")
	binary := flag.String("sallyport", "", "the binary to measure (required)")
	rounds := flag.Int("rounds", 3, "rounds; the peers take turns in each")
	scale := flag.Float64("scale", 1, "multiplies the counts of every row")
	only := flag.String("peers", "sallyport,sallyport-parent,squid,bare-relay,unbound,bare-dns,bare-udp,sallyport-redirect,squid-intercept,bare-redirect", "peers to measure; one that is not installed is left out, and said so")
	relay := flag.String("bare-relay", "", "internal: run the bare relay on this address")
	redirect := flag.String("bare-redirect", "", "internal: run the bare relay behind a redirect on this address")
	dns := flag.String("bare-dns", "", "internal: run the bare resolver on this address")
	udp := flag.Bool("bare-udp", false, "internal: run the bare relay of datagrams")
	growth := flag.String("growth", "", "measure how cost grows with clients and names, and write the picture to this file")
	onlyRows := flag.String("rows", "", "rows to measure, with commas; empty: all")
	flag.Parse()
	switch {
	case *relay != "":
		log.Fatal(bareRelay(*relay))
	case *redirect != "":
		log.Fatal(bareRedirect(*redirect))
	case *udp:
		log.Fatal(bareDatagrams())
	case *dns != "":
		log.Fatal(bareDNS(*dns))
	case *binary == "":
		log.Fatal("no binary: set -sallyport ./sallyport")
	case os.Getenv("SIDEBYSIDE_NS") == "":
		enterNamespace()
	}
	b, err := newBench(*binary, *scale)
	if err != nil {
		log.Fatal(err)
	}
	defer b.close()
	if *growth != "" {
		if err := b.growth(*growth, *rounds); err != nil {
			log.Fatal(err)
		}
		return
	}
	if *onlyRows != "" {
		b.rows = strings.Split(*onlyRows, ",")
	}
	for round := range *rounds {
		for _, name := range strings.Split(*only, ",") {
			if err := b.measure(name); err != nil {
				log.Printf("round %d: %s: %v", round+1, name, err)
			}
		}
	}
	b.report()
}

// enterNamespace runs this command again in a new network and mount namespace
// with only loopback. There every port is free, and nothing leaves the machine.
func enterNamespace() {
	args := append([]string{"-n", "-m", "sh", "-c", `ip link set lo up && exec "$0" "$@"`, "/proc/self/exe"}, os.Args[1:]...)
	if exe, err := os.Executable(); err == nil {
		args[5] = exe
	}
	cmd := exec.Command("unshare", args...)
	cmd.Env = append(os.Environ(), "SIDEBYSIDE_NS=1")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		log.Fatal("needs root, unshare and ip: ", err)
	}
	os.Exit(0)
}

// report prints the median of each row and peer, and the ratio to sallyport's.
func (b *bench) report() {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ROW\tUNIT\tPEER\tCPU\tx sallyport\tSAMPLES\tERRORS")
	for _, row := range rows {
		own := cmp.Or(b.median(row.name, "sallyport"), b.median(row.name, "sallyport-redirect"))
		for _, p := range peers {
			s := b.samples[row.name+"/"+p.name]
			if len(s) == 0 {
				continue
			}
			m := b.median(row.name, p.name)
			fmt.Fprintf(w, "%s\t%s\t%s\t%.4g\t%.2f\t%d\t%d\n", row.name, row.unit, p.name, m, m/own, len(s), b.errors[row.name+"/"+p.name])
		}
	}
	w.Flush()
}
