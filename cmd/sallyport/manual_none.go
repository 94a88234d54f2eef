//go:build !manual

// Manual: the shipped binary does not have this command.

package main

import "github.com/spf13/cobra"

func toolCommands() []*cobra.Command { return nil }
