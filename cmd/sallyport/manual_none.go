//go:build !manual

// Manual: not in the binary that ships.

package main

import "github.com/spf13/cobra"

func toolCommands() []*cobra.Command { return nil }
