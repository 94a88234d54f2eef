// Denials: the commands that read the journal.

package main

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/spf13/cobra"

	"sallyport/cmd/sallyport/commandline"
	"sallyport/cmd/sallyport/gateway"
	"sallyport/cmd/sallyport/terminal"
	"sallyport/denials"
	"sallyport/denials/journal"
	"sallyport/denials/text"
	"sallyport/rules"
	"sallyport/rules/site"
)

// denialFlags are the flags that all commands for denials have.
type denialFlags struct {
	config  string
	files   []string
	since   string
	until   string
	options text.Options
}

// newDenials returns the command denials.
func newDenials() *cobra.Command {
	c := denialQuery(&cobra.Command{
		Use:   "denials",
		Short: "Review denials: list, group and explain them, and find what would permit them",
		Long: `denials reads the journal of the configuration, with its rotated and compressed
files, or the files that you give. It works without a running sallyport and
changes no configuration: suggest only prints changes for you to make.`,
		Example: `  sallyport denials                               the last 50 denials
  sallyport denials top --since 24h               what was denied most in the last 24 hours
  sallyport denials new --since yesterday         what was denied for the first time since yesterday
  sallyport denials suggest --client es-manager   changes that would permit its denials
  sallyport denials list --client es-manager --reason feature_off
  sallyport denials list --host '*.sangfor.com' --json | jq .hint
  sallyport denials list --file /backup/denials.jsonl.gz -n -1`,
	}, text.List, nil, knownFlag)
	list := denialQuery(&cobra.Command{
		Use: "list", Short: "Print the last denials, the newest last",
	}, text.List, nil, knownFlag)
	top := denialQuery(&cobra.Command{
		Use: "top", Short: "Print the destinations denied most, grouped by client and reason",
		Long: `top groups denials by destination, client and reason. The column CURE shows what
would permit a group: feature; binding (a version, an address or a port of a
documented rule); rule (a [[rule]] of your own); never; or permitted, if the
configuration permits the group now.`,
	}, text.Top, wantsSite, sortFlag, cureFlag, knownFlag)
	c.AddCommand(list, top, newDenialsNew(), newDenialsShow(), newDenialsTail(), newDenialsSuggest(), newDenialsReplay(), newDenialsUsage(), newDenialsStats())
	return c
}

// A query reads the journal and writes its answer.
type query func(context.Context, text.Options, io.Writer) (journal.Report, error)

// A prepare sets the options of a query beside files and filter.
type prepare func(f *denialFlags, o *text.Options, site *denials.Site) error

// wantsSite makes a query judge by the configuration. With --file and without
// --config it does not, because the files may belong to another gateway.
func wantsSite(f *denialFlags, o *text.Options, site *denials.Site) error {
	if len(f.files) > 0 && f.config == "" {
		return nil
	}
	return asRecorded(f, o, site)
}

// asRecorded makes a query judge by the configuration and by the addresses of the
// gateway that wrote the journal, because that may be another host.
func asRecorded(_ *denialFlags, o *text.Options, site *denials.Site) (err error) {
	o.Site, err = site.Recorded(o.Files)
	return err
}

// denialQuery adds the common flags to a command and makes it run q.
func denialQuery(c *cobra.Command, q query, also prepare, flags ...func(*cobra.Command, *text.Options)) *cobra.Command {
	f := new(denialFlags)
	if c.Args == nil {
		c.Args = commandline.NoArgs
	}
	commandline.ConfigFlag(c, &f.config)
	fl := c.Flags()
	fl.StringArrayVar(&f.files, "file", nil, "read this journal `FILE` instead; may be repeated")
	fl.StringVar(&f.since, "since", "", "only records since `TIME`: a duration back like 1h or 7d, a day like yesterday or monday, or a date or time")
	fl.StringVar(&f.until, "until", "", "only records before `TIME`")
	fl.StringVar(&f.options.Filter.Reason, "reason", "", "only this `REASON`, like not_listed")
	fl.StringVar(&f.options.Filter.Client, "client", "", "only this `CLIENT`: a name, an address or a prefix")
	fl.StringVar(&f.options.Filter.Profile, "profile", "", "only this `PROFILE`")
	fl.StringVar(&f.options.Filter.Via, "via", "", "only this front `END`: dns, http, connect, socks5, transparent, udp")
	fl.StringVar(&f.options.Filter.Host, "host", "", "only destinations that match this `GLOB`, like *.example")
	fl.StringVar(&f.options.Filter.Text, "text", "", "only records that contain this `TEXT`, in any letter case")
	fl.StringVar(&f.options.Filter.Verdict, "verdict", "", "only this `VERDICT`: deny, would_deny or allow; default: both denials")
	fl.StringVar(&f.options.Filter.Event, "event", "", "only this `EVENT`: decision, close, start, stop or reload; default: decisions")
	fl.IntVarP(&f.options.N, "number", "n", 0, "at most this many `ROWS`; -1: all; 0: the usual number, such as 50 records or 20 groups")
	fl.IntVar(&f.options.Offset, "offset", 0, "leave out the `N` newest records or largest groups")
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

// completeReasons completes the flag --reason.
func completeReasons(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	var out []string
	for _, r := range rules.Reasons() {
		out = append(out, r.String()+"\t"+r.Help())
	}
	return out, cobra.ShellCompDirectiveNoFileComp
}

// run runs a query with the flags.
func (f *denialFlags) run(c *cobra.Command, q query, also prepare) error {
	o := f.options
	var err error
	now := time.Now()
	if o.Filter.Since, err = denials.ParseWhen(f.since, now); err != nil {
		return commandline.Usage("--since: %v", err)
	}
	if o.Filter.Until, err = denials.ParseWhen(f.until, now); err != nil {
		return commandline.Usage("--until: %v", err)
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
	if err := f.permitted(&o, cfg); err != nil {
		return f.withCure(err)
	}
	f.judgeKnown(&o, cfg, now)
	f.warnOfClient(c.ErrOrStderr(), cfg)
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
	reportLines(c, report)
	return f.withCure(err)
}

// journals returns the files to read: the files of --file, or else the files of
// the configuration. The configuration may have errors if the query needs no site.
// journals also returns the configuration that the journal belongs to; nil if that
// is unknown.
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
		return nil, nil, errors.New(`the journal goes to standard output: save it to a file and give --file FILE`)
	}
	files, err = journal.Files(path)
	return files, cfg, err
}
