package config

import (
	"cmp"
	"iter"
	"net/url"
	"path/filepath"
	"strings"
)

// A destinationPlace is where a destination's objects are stored. URLs that name the same place in
// different ways have the same destinationPlace.
type destinationPlace struct {
	service string // scheme, host and bucket; only the scheme of a file:// URL
	path    string // the archive's prefix or directory: "", or ending in "/"
}

// placeOf returns the place of a destination URL. It ignores settings that do not change the
// place, such as a storage class, a profile or the region. resolve resolves symbolic links.
func placeOf(destination string, getenv func(string) (string, bool), resolve func(string) string) destinationPlace {
	u, err := url.Parse(destination)
	if err != nil {
		return destinationPlace{service: destination}
	}
	scheme := strings.ToLower(u.Scheme)
	if scheme == "file" {
		return destinationPlace{scheme, strings.TrimSuffix(resolve(filepath.Clean("/"+u.Path)), "/") + "/"}
	}
	given := u.Query()
	setting := func(name string, variables ...string) string {
		v := given.Get(name)
		for _, name := range variables {
			if env, ok := getenv(name); ok {
				v = cmp.Or(v, env)
			}
		}
		return v
	}
	var at string
	switch scheme {
	case "s3":
		at = host(setting("endpoint", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"))
		if strings.HasSuffix(at, ".amazonaws.com:443") {
			at = "" // all of Amazon's endpoints have the same buckets
		}
	case "gs":
		at = host(setting("endpoint", "STORAGE_EMULATOR_HOST"))
	case "azblob":
		at = strings.ToLower(setting("account", "AZURE_STORAGE_ACCOUNT")) + "@" + host(cmp.Or(setting("domain"), "blob.core.windows.net"))
	}
	path := strings.Trim(u.Path, "/")
	if path != "" {
		path += "/"
	}
	return destinationPlace{scheme + "://" + strings.ToLower(u.Host) + " " + at, path}
}

// host returns the host and port of an address.
func host(address string) string {
	if address == "" {
		return ""
	}
	if !strings.Contains(address, "://") {
		address = "https://" + address
	}
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	port := u.Port()
	if port == "" {
		port = map[bool]string{true: "80", false: "443"}[u.Scheme == "http"]
	}
	return strings.ToLower(u.Hostname()) + ":" + port
}

// placed is a destination with its position in the file.
type placed struct {
	destinationPlace
	at position
}

const notWithin = "no archive may be within another: give each a prefix that does not begin with the other's"

// apart reports a destination that has the same place as an earlier one, or contains it or is
// within it.
func (s *section) apart(destination string) {
	if destination == "" {
		return
	}
	is := placed{placeOf(destination, s.getenv, s.resolve), s.entries["destination"].at}
	if before, ok := s.places.equal[is.destinationPlace]; ok {
		s.errors.add(is.at, "two archives have the same destination, the first in line %d; each needs its own", before.line)
	} else if before, ok := s.places.around(is.destinationPlace); ok {
		s.errors.add(is.at, "this destination is within the one in line %d; "+notWithin, before.line)
	} else if before, ok := s.places.within[is.destinationPlace]; ok {
		s.errors.add(is.at, "the destination in line %d is within this one; "+notWithin, before.line)
	}
	s.places.add(is)
}

// destinationPlaces are the places of the destinations that were decoded so far, for comparisons
// whose time does not depend on their number.
type destinationPlaces struct {
	equal  map[destinationPlace]position // the first destination at a place
	within map[destinationPlace]position // the first destination below a place
}

func newDestinationPlaces() destinationPlaces {
	return destinationPlaces{map[destinationPlace]position{}, map[destinationPlace]position{}}
}

// around returns the position of a destination that a place is within.
func (p destinationPlaces) around(of destinationPlace) (position, bool) {
	for outer := range of.parents() {
		if at, ok := p.equal[outer]; ok {
			return at, true
		}
	}
	return position{}, false
}

func (p destinationPlaces) add(one placed) {
	if _, ok := p.equal[one.destinationPlace]; !ok {
		p.equal[one.destinationPlace] = one.at
	}
	for outer := range one.parents() {
		if _, ok := p.within[outer]; !ok {
			p.within[outer] = one.at
		}
	}
}

// parents returns the places that a place is within, the nearest first.
func (p destinationPlace) parents() iter.Seq[destinationPlace] {
	return func(yield func(destinationPlace) bool) {
		for path := p.path; path != ""; {
			path = path[:strings.LastIndexByte(strings.TrimSuffix(path, "/"), '/')+1]
			if !yield(destinationPlace{p.service, path}) {
				return
			}
		}
	}
}
