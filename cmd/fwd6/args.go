package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// noArgs refuses what follows a command that takes nothing but flags.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return fmt.Errorf("%q is too much: `%s` takes nothing but flags, as in `%s`", args[0], cmd.CommandPath(), example(cmd))
}

// oneAddr wants an address and nothing else.
func oneAddr(cmd *cobra.Command, args []string) error {
	switch len(args) {
	case 0:
		return fmt.Errorf("the address is missing: name one, as in `%s`", example(cmd))
	case 1:
		return nil
	}
	return fmt.Errorf("%q is too much: `%s` takes one address, as in `%s`", args[1], cmd.CommandPath(), example(cmd))
}

// subcommand refuses what follows a command that only has others below it: it
// is none of them.
func subcommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return noSuchCommand(cmd, args[0])
}

// typos is how many letters a name may differ in to be taken for another.
const typos = 2

// noSuchCommand is the error for a name that is no command below parent.
func noSuchCommand(parent *cobra.Command, name string) error {
	below := strings.TrimPrefix(parent.CommandPath(), parent.Root().Name())
	given := strings.TrimSpace(below + " " + name)
	parent.SuggestionsMinimumDistance = typos
	similar := parent.SuggestionsFor(name)
	if len(similar) == 0 {
		return fmt.Errorf("no such command: %q: `fwd6 help%s` lists those there are", given, below)
	}
	for i, s := range similar {
		similar[i] = "`" + parent.CommandPath() + " " + s + "`"
	}
	return fmt.Errorf("no such command: %q: did you mean %s?", given, strings.Join(similar, " or "))
}

// example is the first of a command's examples.
func example(cmd *cobra.Command) string {
	first, _, _ := strings.Cut(cmd.Example, "\n")
	return strings.TrimSpace(first)
}
