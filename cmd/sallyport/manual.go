//go:build manual

// Manual: the command that writes man pages and completions. Only builds with
// the tag "manual" have it: go run -tags manual ./cmd/sallyport manual DIR

package main

import (
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"sallyport/cmd/sallyport/commandline"
	"sallyport/cmd/sallyport/manual"
	"sallyport/configs"
)

func toolCommands() []*cobra.Command {
	return []*cobra.Command{{
		Use: "manual DIR", Hidden: true, Args: cobra.ExactArgs(1),
		Short: "Write man pages and completions; their date is SOURCE_DATE_EPOCH",
		RunE: func(_ *cobra.Command, args []string) error {
			seconds, err := strconv.ParseInt(os.Getenv("SOURCE_DATE_EPOCH"), 10, 64)
			if err != nil {
				return commandline.Usage("SOURCE_DATE_EPOCH: %v", err)
			}
			edition := manual.Edition{Version: version, Date: time.Unix(seconds, 0).UTC()}
			return manual.Write(args[0], newRoot(), configs.Reference(), edition)
		},
	}}
}
