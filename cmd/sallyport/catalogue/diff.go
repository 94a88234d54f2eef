// Profiles diff: the command that compares two revisions of a profile.

package catalogue

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sallyport/cmd/sallyport/commandline"
	"sallyport/cmd/sallyport/gateway"
	"sallyport/cmd/sallyport/terminal"
	"sallyport/denials"
	"sallyport/denials/text"
	"sallyport/rules"
	"sallyport/rules/profile/diff"
)

// diffOptions are the flags of profiles diff.
type diffOptions struct {
	config string
	since  string
	files  []string
	asJSON bool
}

func newDiff() *cobra.Command {
	var o diffOptions
	c := &cobra.Command{
		Use:   "diff OLD NEW",
		Short: "Compare two revisions of a profile: rules added, removed and changed",
		Long: `diff compares two revisions of a profile, rule by rule. OLD and NEW are files, or
names of shipped profiles; with --config also names of the profiles that the
configuration reads. The order of rules and destinations does not count. A rule with
another id is renamed if all else is equal, or the destinations, or the ports and the
purpose.

With --config, diff also prints what each client of the site could reach, or could
no longer reach, with NEW in place of OLD, and which settings NEW does not know.

With --since, diff also reads the journal of the configuration, or the files of
--file: which removed rules were used since then, which denials NEW would have
permitted, and which permitted attempts it would have denied. An attempt counts when
a rule permitted it, also if no connection followed. Permitted attempts are in the
journal if [journal] flows records them; the gateway always counts the use of rules.
Without --config, diff only counts the use of removed rules.

Exit status, like that of diff(1): 0 if the two are equal, 1 if they differ, 2 if the
command line is wrong or something cannot be read.`,
		Example: `  sallyport profiles diff vendor-7.toml vendor-8.toml
  sallyport profiles diff endpoint-secure-onprem new.toml --json
  sallyport profiles diff cyber-command new.toml --config site.toml --since 30d`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 2 {
				return commandline.Usage("profiles diff takes two profiles: OLD and NEW")
			}
			return nil
		},
	}
	f := c.Flags()
	f.StringVarP(&o.config, "config", "c", "", "print what changes for the clients of the configuration `FILE`")
	_ = c.MarkFlagFilename("config", "toml")
	f.StringVar(&o.since, "since", "", "with --config or --file: read the journal since `TIME`: a duration back like 1h or 30d, or a date or time")
	f.StringArrayVar(&o.files, "file", nil, "with --since: read this journal `FILE` instead; may be repeated")
	f.BoolVar(&o.asJSON, "json", false, "print JSON")
	c.RunE = func(c *cobra.Command, args []string) error {
		differ, err := o.run(c.Context(), args, c.InOrStdin(), c.OutOrStdout(), c.ErrOrStderr())
		switch {
		case err != nil:
			return commandline.Exit(2, err)
		case differ:
			return commandline.Exit(1, nil)
		}
		return nil
	}
	return c
}

// diffJSON is what profiles diff --json prints.
type diffJSON struct {
	diff.JSON
	Site    *siteJSON    `json:"site,omitempty"`
	Journal *journalJSON `json:"journal,omitempty"`
}

// run compares the two, and reports whether they differ.
func (o *diffOptions) run(ctx context.Context, args []string, in io.Reader, out, errs io.Writer) (bool, error) {
	now := time.Now()
	since, err := o.check(now)
	if err != nil {
		return false, err
	}
	var site *denials.Site
	var known []*rules.Profile
	if o.config != "" {
		if site, err = gateway.LoadSite(o.config, in, now); err != nil {
			return false, err
		}
		known = site.Config.Profiles
	}
	old, err := readProfile(args[0], known)
	if err != nil {
		return false, err
	}
	next, err := readProfile(args[1], known)
	if err != nil {
		return false, err
	}
	if site != nil && old.Name != next.Name {
		return false, fmt.Errorf("--config needs two revisions of one profile: %s has the name %q, and %s the name %q", args[0], old.Name, args[1], next.Name)
	}
	if warning := notInForce(site, old, args[0]); warning != "" {
		fmt.Fprintln(errs, "sallyport: warning:", terminal.Printable(warning))
	}
	r := diff.Compare(old, next)
	e := &effects{result: r, site: site, now: now}
	e.compareSites()
	if !since.IsZero() {
		if err := e.readJournal(ctx, o.files, since, errs); err != nil {
			return false, err
		}
	}
	w := bufio.NewWriter(out)
	if o.asJSON {
		err = text.WriteJSON(w, diffJSON{JSON: r.JSON(), Site: e.siteJSON(), Journal: e.journalJSON()}, "  ")
	} else {
		r.WriteText(w, terminal.Printable)
		e.writeText(w)
	}
	if err == nil {
		err = w.Flush()
	}
	return !r.Equal(), err
}

// notInForce says that OLD is not the profile that the configuration reads: then the clients
// gain and lose against OLD, and not against the policy in force.
func notInForce(site *denials.Site, old *rules.Profile, arg string) string {
	if site == nil {
		return ""
	}
	for _, p := range site.Config.Profiles {
		if p.Name == old.Name && p.Revision != old.Revision {
			return fmt.Sprintf("OLD, %s, is not the profile that %s reads (%s, revision %s): gained and lost are against OLD; give %s as OLD to compare with the policy in force",
				arg, site.Config.File, p.File, p.Revision, p.Name)
		}
	}
	return ""
}

// check refuses flags that do not belong together, and returns the time of --since.
func (o *diffOptions) check(now time.Time) (time.Time, error) {
	since, err := denials.ParseWhen(o.since, now)
	switch {
	case err != nil:
		return since, commandline.Usage("--since: %v", err)
	case len(o.files) > 0 && o.since == "":
		return since, commandline.Usage("--file needs --since TIME")
	case o.since != "" && o.config == "" && len(o.files) == 0:
		return since, commandline.Usage("--since needs the journal: give --config FILE or --file FILE")
	case slices.Contains(o.files, "-"):
		return since, commandline.Usage("--file takes files, not standard input")
	}
	return since, nil
}

// removedRules returns the rules that NEW does not have, or has with another reach and another id,
// as profile/id.
func removedRules(r *diff.Result) (names []string) {
	for _, rule := range r.Gone() {
		names = append(names, rule.String())
	}
	return names
}

// named returns texts with commas, "none" for no text.
func named(texts []string) string {
	if len(texts) == 0 {
		return "none"
	}
	return strings.Join(texts, ", ")
}
