package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"

	"github.com/spf13/cobra"

	"github.com/fwd6/fwd6/control"
)

// query is what all commands share that ask a fwd6 at work.
type query struct {
	socket       string
	json, pretty bool
}

// newQuery adds the options that all such commands have to cmd.
func newQuery(cmd *cobra.Command) *query {
	q := new(query)
	cmd.Flags().StringVar(&q.socket, "socket", control.DefaultSocket, "`PATH` of the socket of the fwd6 to ask")
	cmd.Flags().BoolVarP(&q.json, "json", "j", false, "print JSON, with iproute2's keys where it has them")
	cmd.Flags().BoolVarP(&q.pretty, "pretty", "p", false, "with --json: indent it")
	return q
}

// show asks, then prints the answer as JSON or with text.
func show[T any](cmd *cobra.Command, q *query, ask func(*control.Client, context.Context) (T, error),
	text func(io.Writer, T) error) error {
	client := control.NewClient(q.socket)
	defer client.Close()
	v, err := ask(client, cmd.Context())
	if err != nil {
		return err
	}
	if !q.json {
		return text(cmd.OutOrStdout(), v)
	}
	data, err := q.encode(v)
	if err != nil {
		return err
	}
	_, err = cmd.OutOrStdout().Write(append(data, '\n'))
	return err
}

// encode writes v as JSON the way the options ask for.
func (q *query) encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if q.pretty {
		e.SetIndent("", "    ")
	}
	err := e.Encode(v)
	return bytes.TrimRight(b.Bytes(), "\n"), err
}
