// Package commandline has what all commands share: exit codes, the error of a wrong
// command line, the refusal of arguments, and the flag --config.
package commandline

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
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
	if c.Flags().Lookup("config") != nil && !c.Flags().Changed("config") && strings.HasSuffix(args[0], ".toml") {
		return Usage("%s takes no argument %q; did you mean --config %[2]s?", c.CommandPath(), args[0])
	}
	if c.HasSubCommands() {
		c.SuggestionsMinimumDistance = 2
		if near := c.SuggestionsFor(args[0]); len(near) > 0 {
			return Usage("%s has no command %q; did you mean %s?", c.CommandPath(), args[0], strings.Join(near, " or "))
		}
	}
	return Usage("%s takes no argument %q; see %[1]s --help", c.CommandPath(), args[0])
}

// ConfigFlag adds the flag --config to a command.
func ConfigFlag(c *cobra.Command, file *string) {
	c.Flags().StringVarP(file, "config", "c", "", `configuration `+"`FILE`"+`; "-" is standard input; without it, the embedded configuration`)
	_ = c.MarkFlagFilename("config", "toml")
}
