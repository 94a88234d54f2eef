// Root: the command tree, and how errors become messages and exit codes.

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"sallyport/cmd/sallyport/topics"
)

// exitError ends the process with a code of its own. Its text may be empty
// where everything was said already.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// execute runs one command line and returns the exit code: 0, what the command
// says, 2 for a command line that makes no sense, else 1.
func execute(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	for line := range strings.SplitSeq(strings.TrimRight(err.Error(), "\n"), "\n") {
		if line != "" {
			fmt.Fprintf(stderr, "sallyport: %s\n", line)
		}
	}
	var exit *exitError
	if errors.As(err, &exit) {
		return exit.code
	}
	return 1
}

// usageError is a command line that makes no sense.
func usageError(format string, args ...any) error {
	return &exitError{2, fmt.Errorf(format, args...)}
}

func newRoot() *cobra.Command {
	run := newRun()
	root := &cobra.Command{
		Use:   "sallyport",
		Short: "Let a security product reach what its vendor documents, and nothing else",
		Long: `sallyport is an allowlisting egress proxy and DNS filter. It permits the
documented domains and ports of the chosen product profiles and denies
everything else; a journal says why.

Without a command it runs, with the configuration given or the embedded one:
HTTP proxy on 127.0.0.1:3128, SOCKS5 on 127.0.0.1:1080, DNS on 127.0.0.1:5300.`,
		Example: `  sallyport                                         run with the embedded configuration
  sallyport --config /etc/sallyport/sallyport.toml  run with a site's own
  sallyport check --config sallyport.toml           is the configuration right?
  sallyport explain tcp license.sangfor.com 443     would this be permitted, and why?
  sallyport preflight --config sallyport.toml       can all that is permitted be reached?
  sallyport denials top                             what was denied most`,
		Version:       fmt.Sprintf("%s %s", version, commit()),
		Args:          noArgs,
		RunE:          run.RunE,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.Flags().AddFlagSet(run.Flags())
	root.SetVersionTemplate("sallyport {{.Version}}\n")
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usageError("%v; see %s --help", err, c.CommandPath())
	})
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(run, newCheck(), newExplain(), newProfiles(), newDenials(), newNFT(), newSockets(), newPreflight(), newHealthcheck(), newVersion())
	root.AddCommand(toolCommands()...)
	root.AddCommand(topics.Commands(isTerminal)...)
	return root
}

// noArgs refuses arguments, with the cure.
func noArgs(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if c.Flags().Lookup("config") != nil && !c.Flags().Changed("config") && strings.HasSuffix(args[0], ".toml") {
		return usageError("%s takes no argument %q; did you mean --config %[2]s?", c.CommandPath(), args[0])
	}
	if c.HasSubCommands() {
		c.SuggestionsMinimumDistance = 2
		if near := c.SuggestionsFor(args[0]); len(near) > 0 {
			return usageError("%s has no command %q; did you mean %s?", c.CommandPath(), args[0], strings.Join(near, " or "))
		}
	}
	return usageError("%s takes no argument %q; see %[1]s --help", c.CommandPath(), args[0])
}

// configFlag is the --config that most commands have.
func configFlag(c *cobra.Command, file *string) {
	c.Flags().StringVarP(file, "config", "c", "", `configuration `+"`FILE`"+`; "-": standard input; none: the embedded one`)
	_ = c.MarkFlagFilename("config", "toml")
}
