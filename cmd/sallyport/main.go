// Main: the tree of commands, and the messages and exit codes of errors.

// Command sallyport is an allowlisting egress proxy and DNS filter. It permits what
// the vendors of security products document. See the README, or sallyport help.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"sallyport/cmd/sallyport/catalogue"
	"sallyport/cmd/sallyport/commandline"
	"sallyport/cmd/sallyport/terminal"
	"sallyport/cmd/sallyport/topics"
)

func main() {
	os.Exit(execute(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// execute runs one command line and returns its exit code: the code of an
// ExitError, 2 for a wrong command line, 1 for any other error, else 0.
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
	var exit *commandline.ExitError
	if errors.As(err, &exit) {
		return exit.Code
	}
	return 1
}

// newRoot returns the tree of commands.
func newRoot() *cobra.Command {
	run := newRun()
	root := &cobra.Command{
		Use:   "sallyport",
		Short: "Let a security product reach what its vendor documents, and nothing else",
		Long: `sallyport is an allowlisting egress proxy and DNS filter. It permits the
documented domains and ports of the product profiles that you choose. It denies
everything else, and a journal records why.

Without a command sallyport runs, with the configuration that you give or with
the embedded configuration: HTTP proxy on 127.0.0.1:3128, SOCKS5 on 127.0.0.1:1080, DNS on 127.0.0.1:5300.`,
		Example: `  sallyport                                         run with the embedded configuration
  sallyport --config /etc/sallyport/sallyport.toml  run with your own configuration
  sallyport check --config sallyport.toml           is the configuration correct?
  sallyport explain tcp license.sangfor.com 443     would this be permitted, and why?
  sallyport preflight --config sallyport.toml       can every permitted destination be reached?
  sallyport denials top                             what was denied most`,
		Version:       fmt.Sprintf("%s %s", version, commit()),
		Args:          commandline.NoArgs,
		RunE:          run.RunE,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.Flags().AddFlagSet(run.Flags())
	root.SetVersionTemplate("sallyport {{.Version}}\n")
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return commandline.Usage("%v; see %s --help", err, c.CommandPath())
	})
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddGroup(&cobra.Group{ID: commandline.CommandGroup, Title: "Available Commands:"}, &cobra.Group{ID: commandline.TopicGroup, Title: "Additional help topics:"})
	root.SetHelpCommand(commandline.NewHelp())
	root.SetHelpCommandGroupID(commandline.CommandGroup)
	root.AddCommand(run, newCheck(), newExplain(), catalogue.New(), newDenials(), newNFT(), newSockets(), newPreflight(), newHealthcheck(), newVersion())
	root.AddCommand(toolCommands()...)
	for _, c := range root.Commands() {
		c.GroupID = commandline.CommandGroup
	}
	root.AddCommand(topics.Commands(terminal.Is)...)
	return root
}

// version is the release and revision its commit. The linker may set both, as
// "make release" does: -X main.version=… -X main.revision=…
var (
	version  = "0.1.0-dev"
	revision string
)

// newVersion returns the command version.
func newVersion() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version, the commit and the Go release", Args: commandline.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			_, err := fmt.Fprintf(c.OutOrStdout(), "sallyport %s %s %s %s/%s\n", version, commit(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return err
		},
	}
}

// commit returns the commit that the binary was built from: the linker's setting,
// else what the Go toolchain recorded.
func commit() string {
	if revision != "" {
		return revision
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	rev, dirty := "unknown", ""
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			rev = s.Value[:min(12, len(s.Value))]
		case "vcs.modified":
			if s.Value == "true" {
				dirty = "-dirty"
			}
		}
	}
	return rev + dirty
}
