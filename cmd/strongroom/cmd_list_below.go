package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/providers"
)

// errBelow is the error of a listing that shows the archives below an address, since there is none at it.
type errBelow struct {
	count    int
	complete bool
}

func (e *errBelow) Error() string {
	text := fmt.Sprintf("%v: %s below this address %s listed, with their newest snapshots",
		archive.ErrNoArchive, plural(e.count, "archive"), map[bool]string{true: "is", false: "are"}[e.count == 1])
	if !e.complete {
		text += "; the search ended early, and there may be more"
	}
	return text
}

func (e *errBelow) Unwrap() []error { return []error{archive.ErrNoArchive, archive.ErrHoldsArchives} }

// listBelow returns the newest snapshot of each archive below an address. With an error that is no errBelow there are
// none.
func (a *app) listBelow(ctx context.Context, o *openArchive) ([]listed, error) {
	found, complete, err := o.Below(ctx)
	if err != nil {
		return nil, err
	}
	var all []listed
	for i := range found {
		one := &found[i]
		l, name := listed{State: "empty"}, addressBelow(o.url, one.Prefix)
		switch s := one.Newest; {
		case one.Err != nil:
			l.State, l.Error = "failed", one.Err.Error()
			a.log.Warn("an archive below the address cannot be listed", "archive", name, "error", one.Err)
		case s != nil:
			l = listing(s)
		}
		l.Name = name
		all = append(all, l)
	}
	return all, &errBelow{len(all), complete}
}

// addressBelow returns the URL of an archive at a prefix below another URL, without credentials.
func addressBelow(address, prefix string) string {
	address = providers.Redact(address)
	u, err := url.Parse(address)
	if err != nil {
		return address + " " + prefix
	}
	return u.JoinPath(strings.TrimSuffix(prefix, "/")).String()
}

// isListed reports whether an error only states that the archives below an address are listed.
func isListed(err error) bool { return errors.As(err, new(*errBelow)) }
