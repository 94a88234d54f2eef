// Brief: what a person needs to know of a configuration and its errors: its name, the first errors,
// and the policy that stays in force.

package gateway

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"sallyport/rules"
)

// mostShown is how many errors of a refused configuration a line of the log has.
const mostShown = 3

// brief returns the first errors of a configuration in one line, the number of the others, and the
// command that prints all of them.
func brief(err error, file string) string {
	lines := strings.Split(strings.TrimSpace(err.Error()), "\n")
	if len(lines) <= mostShown {
		return strings.Join(lines, "; ")
	}
	return fmt.Sprintf("%s; and %d more: sallyport check --config %s", strings.Join(lines[:mostShown], "; "), len(lines)-mostShown, file)
}

// IdentityOf returns the name of a --config that stays the same from every directory.
func IdentityOf(file string) string {
	switch file {
	case "":
		return embedded
	case "-":
		return "standard input"
	}
	if path, err := filepath.Abs(file); err == nil {
		return path
	}
	return file
}

// StillRuns adds to the errors of a configuration what a person asks during an incident: which
// policy a running sallyport has.
func StillRuns(err error) error {
	var problems rules.Problems
	if !errors.As(err, &problems) || len(problems) > 0 && strings.HasPrefix(problems[0].Text, "this is a profile") {
		return err
	}
	return fmt.Errorf("%w\na running sallyport keeps its earlier policy while the file has an error; /readyz shows that policy: sallyport healthcheck --ready", err)
}
