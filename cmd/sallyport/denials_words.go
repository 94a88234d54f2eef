// Denials words: the values of the flags of denials, and the errors of a journal
// that cannot be read.

package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"sallyport/cmd/sallyport/commandline"
	"sallyport/cmd/sallyport/gateway"
	"sallyport/denials"
	"sallyport/denials/journal"
	"sallyport/denials/text"
	"sallyport/rules"
	"sallyport/rules/site"
)

// closedFlags returns the flags with a fixed list of values. An unknown value would
// match no record, which would look as if nothing had been denied.
func closedFlags() map[string][]string {
	words := map[string][]string{
		"verdict": {journal.VerdictDeny, journal.VerdictWouldDeny, journal.VerdictAllow},
		"event":   {journal.EventDecision, journal.EventClose, journal.EventStart, journal.EventStop, journal.EventReload},
		"sort":    denials.Sorts(),
		"known":   knownWords(),
	}
	for v := rules.ViaDNS; v.String() != ""; v++ {
		words["via"] = append(words["via"], v.String())
	}
	for _, r := range rules.Reasons() {
		words["reason"] = append(words["reason"], r.String())
	}
	for _, k := range denials.Cures() {
		words["cure"] = append(words["cure"], string(k))
	}
	return words
}

// words returns an error if a flag has an unknown value.
func (f *denialFlags) words(c *cobra.Command) error {
	for name, known := range closedFlags() {
		if fl := c.Flags().Lookup(name); fl != nil && fl.Value.Type() == "string" && fl.Value.String() != "" && !slices.Contains(known, fl.Value.String()) {
			if near := commandline.Nearest(fl.Value.String(), known); near != "" {
				return commandline.Usage("--%s: there is no %q; did you mean %s?", name, fl.Value, near)
			}
			return commandline.Usage("--%s: there is no %q; the values are %s", name, fl.Value, strings.Join(known, ", "))
		}
	}
	return nil
}

// warnOfClient warns if the configuration has no client with the name of --client.
// That is not an error: the journal may be older than the configuration.
func (f *denialFlags) warnOfClient(w io.Writer, cfg *site.Config) {
	name := f.options.Filter.Client
	if name == "" || cfg == nil {
		return
	}
	if _, err := netip.ParsePrefix(name); err == nil {
		return
	}
	if _, err := netip.ParseAddr(name); err == nil {
		return
	}
	if slices.ContainsFunc(cfg.Clients, func(c *rules.Client) bool { return c.Name == name }) {
		return
	}
	fmt.Fprintf(w, "sallyport: warning: --client: %s has no [[client]] %q; its clients are %s; only records of an earlier configuration can match\n",
		cfg.File, name, gateway.ClientNames(cfg))
}

// completeWords completes the flags with a fixed list of values.
func completeWords(c *cobra.Command) {
	for _, name := range []string{"via", "verdict", "event"} {
		_ = c.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(closedFlags()[name], cobra.ShellCompDirectiveNoFileComp))
	}
}

func sortFlag(c *cobra.Command, o *text.Options) {
	c.Flags().StringVar(&o.Sort, "sort", "count", "`ORDER` of the groups: "+strings.Join(denials.Sorts(), ", "))
	_ = c.RegisterFlagCompletionFunc("sort", cobra.FixedCompletions(denials.Sorts(), cobra.ShellCompDirectiveNoFileComp))
}

func cureFlag(c *cobra.Command, o *text.Options) {
	var names []string
	for _, k := range denials.Cures() {
		names = append(names, string(k))
	}
	c.Flags().StringVar((*string)(&o.Cure), "cure", "", "only groups with this `CURE`: "+strings.Join(names, ", "))
	_ = c.RegisterFlagCompletionFunc("cure", cobra.FixedCompletions(names, cobra.ShellCompDirectiveNoFileComp))
}

// withCure adds the remedy to an error of a configuration's journal.
func (f *denialFlags) withCure(err error) error {
	switch {
	case len(f.files) > 0:
	case errors.Is(err, fs.ErrNotExist) && f.config == "" && exists(installedConfig):
		return fmt.Errorf("%w\nthe embedded configuration has no journal; did you mean --config %s?", err, installedConfig)
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w\nthe journal does not exist: sallyport has not run with this configuration yet; give the configuration that it runs with, --config FILE, or a journal, --file FILE", err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w\nonly sallyport's user and root may read the journal: run this as one of them", err)
	}
	return err
}

// installedConfig is the path where install.sh puts the configuration.
const installedConfig = "/etc/sallyport/sallyport.toml"

// exists reports whether a path exists.
func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
