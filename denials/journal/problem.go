// Problem: as people read it.

package journal

import "fmt"

// String returns file:line: why.
func (p Problem) String() string { return fmt.Sprintf("%s:%d: %s", p.File, p.Line, p.Why) }
