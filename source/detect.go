package source

import (
	"context"
	"fmt"
	"strings"
)

// Detect finds out which database's log files lie in dir: je, noxu or bdb, the layouts
// that need no pattern. When none or several match, the error says what was looked for
// and what to set; it wraps ErrEmpty in the first case, and ErrMissing if there is no
// such directory.
func Detect(dir string) (Layout, error) {
	var matching []Layout
	var found []string
	for _, name := range []string{"je", "noxu", "bdb"} {
		layout, err := NewLayout(LayoutOptions{Name: name})
		if err != nil {
			return Layout{}, err
		}
		d, err := Open(dir, layout)
		if err != nil {
			return Layout{}, err
		}
		one, err := d.anyOne(context.Background())
		if err != nil {
			return Layout{}, err
		}
		if one != "" {
			matching = append(matching, layout)
			found = append(found, fmt.Sprintf("%s (%s)", name, one))
		}
	}
	const set = "set layout (--layout) to je, noxu or bdb, or to segments or files with a pattern"
	switch len(matching) {
	case 1:
		return matching[0], nil
	case 0:
		return Layout{}, fmt.Errorf("detecting the layout of %s: %w: looked for those of je (0000002a.jdb, also in data001/), noxu (0000002a.ndb) and bdb (log.0000000042); if others are meant, %s", dir, ErrEmpty, set)
	}
	return Layout{}, fmt.Errorf("detecting the layout of %s: it has log files of several layouts: %s; %s", dir, strings.Join(found, ", "), set)
}

// anyOne names a log file of the layout, or none. It stops at the first: looking at each
// would cost as much as the capture that follows.
func (d *Directory) anyOne(ctx context.Context) (string, error) {
	l := listing{enough: 1}
	for todo := []string{""}; len(todo) > 0 && len(l.entries) == 0; {
		below, err := d.listDir(ctx, todo[0], nil, &l)
		if err != nil {
			return "", err
		}
		todo = append(todo[1:], below...)
	}
	if len(l.entries) == 0 {
		return "", nil
	}
	return l.entries[0].name, nil
}
