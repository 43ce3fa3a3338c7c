package file

import (
	"net/url"
	"path/filepath"

	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/internal/disk"
	"github.com/strongroom-dev/strongroom/store"
)

var _ store.SurroundingsLister = (*adapter)(nil)

// Surroundings implements store.SurroundingsLister. It returns the directories above, with symbolic links
// resolved.
func (s *adapter) Surroundings() []store.Place {
	var places []store.Place
	for dir := disk.RealPath(s.root); dir != filepath.Dir(dir); {
		dir = filepath.Dir(dir)
		u := url.URL{Scheme: "file", Path: dir}
		around := newAdapter(dir, cloud.RedactedURL(u.String()))
		around.lent = true // keep no directory open between two operations
		places = append(places, store.Place{Address: u.String(), Store: cloud.Surrounding{Store: around, IsLocal: true}})
	}
	return places
}
