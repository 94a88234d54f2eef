// Denials: reads the journal back, for people and machines.

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"sallyport/cmd/sallyport/gateway"
	"sallyport/cmd/sallyport/terminal"
	"sallyport/denials"
	"sallyport/denials/journal"
	"sallyport/rules"
	"sallyport/rules/site"
)

// denialFlags are what the commands have in common.
type denialFlags struct {
	config  string
	files   []string
	since   string
	until   string
	options denials.Options
}

func newDenials() *cobra.Command {
	c := denialQuery(&cobra.Command{
		Use:   "denials",
		Short: "Review what was denied: list, group, explain, and what would permit it",
		Long: `denials reads the journal of the configuration, rotated and compressed files
included, or the files given. It needs no running sallyport, and it changes
nothing: what suggest proposes, an operator writes into the configuration.`,
		Example: `  sallyport denials                               the last fifty
  sallyport denials top --since 24h               what was denied most today
  sallyport denials suggest --client es-manager   what would permit it
  sallyport denials list --client es-manager --reason feature_off
  sallyport denials list --host '*.sangfor.com' --json | jq .hint
  sallyport denials list --file /backup/denials.jsonl.gz -n -1`,
	}, denials.List, nil)
	list := denialQuery(&cobra.Command{
		Use: "list", Short: "Print the last denials, the newest last",
	}, denials.List, nil)
	top := denialQuery(&cobra.Command{
		Use: "top", Short: "Print the destinations denied most, grouped by client and reason",
		Long: `top groups denials by destination, client and reason. Its CURE says what would
permit a group: feature, binding (a version, an address or a port of a
documented rule), rule (a [[rule]] of the site's own), never, or permitted
where the configuration permits it by now.`,
	}, denials.Top, wantsSite, sortFlag, cureFlag)
	c.AddCommand(list, top, newDenialsShow(), newDenialsTail(), newDenialsSuggest(), newDenialsReplay(), newDenialsUsage(), newDenialsStats())
	return c
}

// query is one way of reading the journal.
type query func(context.Context, denials.Options, io.Writer) (journal.Report, error)

// A prepare fills in what a query needs beside files and filter.
type prepare func(f *denialFlags, o *denials.Options, site *denials.Site) error

// wantsSite lets a query judge by the configuration, unless the journal is
// somebody else's and nothing says whose.
func wantsSite(f *denialFlags, o *denials.Options, site *denials.Site) error {
	if len(f.files) > 0 && f.config == "" {
		return nil
	}
	return asRecorded(f, o, site)
}

// asRecorded judges by the configuration as the gateway has it that wrote the
// journal, which may be another host.
func asRecorded(_ *denialFlags, o *denials.Options, site *denials.Site) (err error) {
	o.Site, err = site.Recorded(o.Files)
	return err
}

// denialQuery gives a command its flags and lets it run q.
func denialQuery(c *cobra.Command, q query, also prepare, flags ...func(*cobra.Command, *denials.Options)) *cobra.Command {
	f := new(denialFlags)
	if c.Args == nil {
		c.Args = noArgs
	}
	configFlag(c, &f.config)
	fl := c.Flags()
	fl.StringArrayVar(&f.files, "file", nil, "read this journal `FILE` instead; may be repeated")
	fl.StringVar(&f.since, "since", "", "only records since `TIME`: a duration back like 1h or 7d, or a date or time")
	fl.StringVar(&f.until, "until", "", "only records before `TIME`")
	fl.StringVar(&f.options.Filter.Reason, "reason", "", "only this `REASON`, like not_listed")
	fl.StringVar(&f.options.Filter.Client, "client", "", "only this `CLIENT`: a name, an address or a prefix")
	fl.StringVar(&f.options.Filter.Profile, "profile", "", "only this `PROFILE`")
	fl.StringVar(&f.options.Filter.Via, "via", "", "only this front `END`: dns, http, connect, socks5, transparent, udp")
	fl.StringVar(&f.options.Filter.Host, "host", "", "only destinations that match this `GLOB`, like *.example")
	fl.StringVar(&f.options.Filter.Text, "text", "", "only records with this `TEXT` anywhere, whatever the case")
	fl.StringVar(&f.options.Filter.Verdict, "verdict", "", "only this `VERDICT`: deny, would_deny or allow; none: both denials")
	fl.StringVar(&f.options.Filter.Event, "event", "", "only this `EVENT`: decision, close, start, stop or reload; none: decisions")
	fl.IntVarP(&f.options.N, "number", "n", 0, "at most this many `ROWS`; -1: all (0: what is usual, like 50 records or 20 groups)")
	fl.IntVar(&f.options.Offset, "offset", 0, "leave out the newest or largest `N`")
	fl.BoolVar(&f.options.JSON, "json", false, "print JSON, one object a line")
	_ = c.RegisterFlagCompletionFunc("reason", completeReasons)
	completeWords(c)
	for _, add := range flags {
		add(c, &f.options)
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(args) > 0 {
			f.options.ID = args[0]
		}
		return f.run(c, q, also)
	}
	return c
}

func completeReasons(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	var out []string
	for _, r := range rules.Reasons() {
		out = append(out, r.String()+"\t"+r.Help())
	}
	return out, cobra.ShellCompDirectiveNoFileComp
}

func (f *denialFlags) run(c *cobra.Command, q query, also prepare) error {
	o := f.options
	var err error
	now := time.Now()
	if o.Filter.Since, err = denials.ParseWhen(f.since, now); err != nil {
		return usageError("--since: %v", err)
	}
	if o.Filter.Until, err = denials.ParseWhen(f.until, now); err != nil {
		return usageError("--until: %v", err)
	}
	if err := f.words(c); err != nil {
		return err
	}
	var cfg *site.Config
	var site *denials.Site
	if also != nil {
		if site, err = gateway.LoadSite(f.config, c.InOrStdin(), now); err != nil {
			return err
		}
	}
	if o.Files, cfg, err = f.journals(c, site); err != nil {
		return f.withCure(err)
	}
	f.strangeClient(c.ErrOrStderr(), cfg)
	o.Now = now
	if also != nil {
		if err := also(f, &o, site); err != nil {
			return err
		}
	}
	o.Color = terminal.Color(c.OutOrStdout())
	bar := terminal.NewBar(c.ErrOrStderr())
	o.Progress = bar.Bytes()
	report, err := q(c.Context(), o, bar.Over(c.OutOrStdout()))
	bar.Clear()
	for _, p := range report.Problems {
		fmt.Fprintln(c.ErrOrStderr(), "sallyport:", p)
	}
	if n := report.Skipped - uint64(len(report.Problems)); report.Skipped > uint64(len(report.Problems)) {
		fmt.Fprintf(c.ErrOrStderr(), "sallyport: %d more lines are no records and were skipped\n", n)
	}
	return f.withCure(err)
}

// journals lists the files to read: those given, else those of the
// configuration, which has to be right only where site is needed. The
// configuration is the one that the journal belongs to; nil: nobody knows.
func (f *denialFlags) journals(c *cobra.Command, site *denials.Site) (files []string, cfg *site.Config, err error) {
	if site != nil && (len(f.files) == 0 || f.config != "") {
		cfg = site.Config
	}
	if len(f.files) > 0 {
		return f.files, cfg, nil
	}
	var path string
	if cfg != nil {
		path = cfg.Journal.Path
	} else if path, cfg, err = gateway.JournalPath(f.config, c.InOrStdin(), c.ErrOrStderr()); err != nil {
		return nil, nil, err
	}
	if path == "-" {
		return nil, nil, errors.New(`the journal goes to standard output: save it and say --file FILE`)
	}
	files, err = journal.Files(path)
	return files, cfg, err
}
