// Package commandline has what all commands share: exit codes, the error of a wrong
// command line, the refusal of arguments, and the flag --config.
package commandline

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// The groups of commands in the help.
const (
	CommandGroup = "commands"
	TopicGroup   = "topics" // these print a table, and are no pages of the manual
)

// An ExitError ends the process with the exit code that it holds. Err is nil if
// nothing remains to be printed.
type ExitError struct {
	Code int
	Err  error
}

// Error returns the text of Err.
func (e *ExitError) Error() string {
	if e.Err == nil {
		return ""
	}
	return e.Err.Error()
}

// Unwrap returns Err.
func (e *ExitError) Unwrap() error { return e.Err }

// Exit returns the error that ends the process with an exit code. It prints err
// unless err is nil.
func Exit(code int, err error) error {
	return &ExitError{code, err}
}

// Usage returns the error of a wrong command line.
func Usage(format string, args ...any) error {
	return Exit(2, fmt.Errorf(format, args...))
}

// NoArgs refuses arguments, and names the likely correction.
func NoArgs(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if c.HasSubCommands() {
		return NoCommand(c, args[0])
	}
	switch {
	case IsProfile(args[0]):
		return Usage("%s takes no argument %q, which is a profile; did you mean: %s profiles check %[2]s?", c.CommandPath(), args[0], c.Root().Name())
	case c.Flags().Lookup("config") != nil && !c.Flags().Changed("config") && strings.HasSuffix(args[0], ".toml"):
		return Usage("%s takes no argument %q; did you mean --config %[2]s?", c.CommandPath(), args[0])
	}
	return Usage("%s takes no argument %q; see %[1]s --help", c.CommandPath(), args[0])
}

// NoCommand returns the error of an unknown command below c, with the commands that have a similar
// name.
func NoCommand(c *cobra.Command, name string) error {
	c.SuggestionsMinimumDistance = 2
	near := c.SuggestionsFor(name)
	switch {
	case len(near) > 0:
		return Usage("%s has no command %q; did you mean %s?", c.CommandPath(), name, strings.Join(near, " or "))
	case IsProfile(name):
		return Usage("%s has no command %q, which is a profile; did you mean: %s profiles check %[2]s?", c.CommandPath(), name, c.Root().Name())
	case c.Flags().Lookup("config") != nil && !c.Flags().Changed("config") && strings.HasSuffix(name, ".toml"):
		return Usage("%s has no command %q; did you mean --config %[2]s?", c.CommandPath(), name)
	}
	return Usage("%s has no command %q; see %[1]s --help", c.CommandPath(), name)
}

// ConfigFlag adds the flag --config to a command.
func ConfigFlag(c *cobra.Command, file *string) {
	c.Flags().StringVarP(file, "config", "c", "", `configuration `+"`FILE`"+`; "-" is standard input; without it, the embedded configuration`)
	_ = c.MarkFlagFilename("config", "toml")
}
