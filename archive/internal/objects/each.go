package objects

import (
	"context"
	"maps"
	"slices"

	"golang.org/x/sync/errgroup"
)

// EachAtOnce calls f with each element, several at a time, until one fails or the context ends.
func EachAtOnce[T any](ctx context.Context, atOnce int, all []T, f func(context.Context, T) error) error {
	g, running := errgroup.WithContext(ctx)
	g.SetLimit(atOnce)
	for _, one := range all {
		if running.Err() != nil {
			break
		}
		g.Go(func() error { return f(running, one) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return context.Cause(ctx)
}

func SortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
