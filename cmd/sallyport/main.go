// Main: hands the process's arguments and streams to the command tree.

// Command sallyport is an allowlisting egress proxy and DNS filter that knows
// the vendors' documents. See the README, or sallyport help.
package main

import (
	"context"
	"os"
)

func main() {
	os.Exit(execute(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
