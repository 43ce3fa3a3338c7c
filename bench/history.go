//go:build linux

package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"regexp"
	"strconv"
)

var (
	sequenceField = regexp.MustCompile(`"sequence":1,`)
	parentField   = regexp.MustCompile(`"parent":null`)
	snapshotField = regexp.MustCompile(`"snapshot":1\b`)
)

// history adds snapshots of the same files to an archive with one snapshot. A listing reads as much as for
// different ones.
func (s *server) history(archive string, snapshots int) error {
	answer, err := s.do("GET", archive+"/"+manifestKey(1), nil, nil, 0)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	first, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	if !sequenceField.Match(first) || !parentField.Match(first) || !snapshotField.Match(first) {
		return fmt.Errorf("manifest 1 is not as expected: %.300s", first)
	}
	before := first
	for n := 2; n <= snapshots; n++ {
		sum := sha256.Sum256(before)
		next := sequenceField.ReplaceAll(first, []byte(`"sequence":`+strconv.Itoa(n)+`,`))
		next = parentField.ReplaceAll(next, fmt.Appendf(nil, `"parent":{"sequence":%d,"sha256":"%s"}`, n-1, hex.EncodeToString(sum[:])))
		if err := s.put(archive+"/"+manifestKey(n), bytes.Clone(next)); err != nil {
			return err
		}
		before = next
	}
	return nil
}

func manifestKey(n int) string {
	d := fmt.Sprintf("%09d", n)
	return "manifests/" + d[:3] + "/" + d[3:6] + "/" + d[6:] + ".json"
}
