package source

import (
	"context"
	"fmt"
	"strings"
)

// Detect returns the layout of the log files in dir: je, noxu or bdb, the layouts that need no
// pattern. If none or several match, the error names the layouts and the setting that decides. It
// wraps ErrEmpty if none matches, and ErrMissing if dir does not exist.
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
		return Layout{}, fmt.Errorf("detecting the layout of %s: %w of je (0000002a.jdb, also in data001/), "+
			"noxu (0000002a.ndb) or bdb (log.0000000042); for other log files, %s", dir, ErrEmpty, set)
	}
	return Layout{}, fmt.Errorf("detecting the layout of %s: it has log files of several layouts: %s; %s",
		dir, strings.Join(found, ", "), set)
}

// anyOne returns the name of one log file of the layout; "" if there is none. It stops at the
// first one, since reading all would cost as much as a capture.
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
