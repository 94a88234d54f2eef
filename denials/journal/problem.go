// Problem: a bad line as text for people.

package journal

import "fmt"

// String returns file:line: why.
func (p Problem) String() string { return fmt.Sprintf("%s:%d: %s", p.File, p.Line, p.Why) }
