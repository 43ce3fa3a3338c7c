package config

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
)

// HTTP configures the HTTP server of the service.
type HTTP struct {
	Listen    string   `yaml:"listen"`     // host:port; the default is DefaultListen
	TokenFile string   `yaml:"token_file"` // file with the token that starts runs; absolute; "" disables that
	Hosts     []string `yaml:"hosts"`      // more host names that requests may use, such as a proxy's
	CertFile  string   `yaml:"cert_file"`  // file with the certificate chain for HTTPS; absolute; "" selects HTTP
	KeyFile   string   `yaml:"key_file"`   // file with its private key; absolute; set exactly if CertFile is
}

// DefaultListen is the default of HTTP.Listen.
const DefaultListen = "127.0.0.1:8470"

// Verify configures when the service verifies an archive, and how much of it is read back.
type Verify struct {
	Schedule string  `yaml:"schedule"` // as ParseSchedule reads it; never @close
	Sample   float64 `yaml:"sample"`   // the part of the data that is read back, from 0 for none to 1
}

// DefaultCommandTimeout is the default of Source.CommandTimeout.
const DefaultCommandTimeout = 5 * time.Minute

// http returns the section http; nil if it is absent or invalid.
func (s *section) http() *HTTP {
	e, ok := s.entries["http"]
	if !ok {
		return nil
	}
	h, ok := s.section(e.value, "in http", keys[HTTP]())
	if !ok {
		return nil
	}
	out := &HTTP{
		Listen: DefaultListen, TokenFile: h.path("token_file"), Hosts: h.texts("hosts"),
		CertFile: h.path("cert_file"), KeyFile: h.path("key_file"),
	}
	h.both("cert_file", "key_file")
	if v, ok := h.text("listen"); ok {
		host, port, err := net.SplitHostPort(v)
		if n, bad := strconv.Atoi(port); err != nil || bad != nil || n < 0 || n > 65535 || strings.ContainsAny(host, "/ ") {
			h.errors.add(h.entries["listen"].at, "listen cannot be %s; write host:port, such as %s", quote(v), DefaultListen)
		}
		out.Listen = v
	}
	for _, name := range out.Hosts {
		if strings.ContainsAny(name, "/: ") {
			h.errors.add(h.entries["hosts"].at, "hosts: %s is not a host name; "+
				"write it without scheme, port and path, such as backup.example.org", quote(name))
		}
	}
	return out
}

// both reports one of two keys without the other.
func (s *section) both(a, b string) {
	for _, pair := range [][2]string{{a, b}, {b, a}} {
		set, ok := s.entries[pair[0]]
		if _, other := s.entries[pair[1]]; ok && !other {
			s.errors.add(set.key, "%s has no effect without %s; add it, or remove this key", pair[0], pair[1])
		}
	}
}

// verify returns the section verify; nil if it is absent or invalid.
func (s *section) verify(location *time.Location) *Verify {
	e, ok := s.entries["verify"]
	if !ok {
		return nil
	}
	v, ok := s.section(e.value, "in verify", keys[Verify]())
	if !ok {
		return nil
	}
	out := &Verify{}
	v.required("schedule", `"@daily"`)
	if text, ok := v.text("schedule"); ok {
		out.Schedule = text
		parsed, err := ParseSchedule(text, location)
		switch {
		case err != nil:
			v.errors.add(v.entries["schedule"].at, "%v", err)
		case parsed.OnClose():
			v.errors.add(v.entries["schedule"].at, "verify cannot be scheduled @close; write a time, such as @daily")
		}
	}
	if text, ok := v.text("sample"); ok {
		part, err := ParsePercent(text)
		if err != nil {
			v.errors.add(v.entries["sample"].at, "sample: %v", err)
		}
		out.Sample = part
	}
	return out
}

// ParsePercent parses a percentage, such as 2% or 0.5%, and returns it as a number from 0 to 1.
func ParsePercent(s string) (float64, error) {
	digits, ok := strings.CutSuffix(s, "%")
	n, err := strconv.ParseFloat(strings.TrimSpace(digits), 64)
	if !ok || err != nil || strings.ContainsAny(digits, "eExXpPiInN_+-") || n > 100 {
		return 0, fmt.Errorf("%s is no percentage from 0%% to 100%%, such as 2%%", quote(s))
	}
	return n / 100, nil
}

// texts returns a key's list of texts with their variables expanded. It reports invalid ones.
func (s *section) texts(key string) []string {
	e, ok := s.entries[key]
	if !ok {
		return nil
	}
	list, ok := e.value.(*ast.SequenceNode)
	if !ok {
		s.errors.add(e.at, "%s: %s; write a list, such as [a, b]", key, describe(e.value))
		return nil
	}
	var all []string
	for _, n := range list.Values {
		one := section{decoder: s.decoder, entries: map[string]entry{key: {key: e.key, at: place(n.GetToken()), value: n}}}
		if v, ok := one.text(key); ok {
			all = append(all, v)
		}
	}
	return all
}

// notify returns the notification targets, and whether the key is set. Errors do not show a
// target, since most contain a secret.
func (s *section) notify() ([]string, bool) {
	if _, ok := s.entries["notify"]; !ok {
		return nil, false
	}
	targets := s.texts("notify")
	for i, t := range targets {
		if !strings.Contains(t, "://") {
			s.errors.add(s.entries["notify"].key, "entry %d is not a URL; "+
				"write one that begins with https:// or slack://, for instance (docs/cli.md)", i+1)
		}
	}
	return targets, true
}

// command returns a key's command. Unlike another text it may be written as "", for none.
func (s *section) command(key string) string {
	if n, ok := s.entries[key].value.(*ast.StringNode); ok && n.Value == "" {
		return ""
	}
	line, _ := s.text(key)
	return line
}

// commands fills in the commands that run before and after a snapshot.
func (s *section) commands(src *Source) {
	src.Before, src.After = s.command("before"), s.command("after")
	if src.Before != "" || src.After != "" {
		src.CommandTimeout = DefaultCommandTimeout
	}
	if v, ok := s.duration("command_timeout"); ok {
		if v == 0 {
			s.errors.add(s.entries["command_timeout"].at, "command_timeout must be greater than 0, such as 5m")
		}
		if src.Before == "" && src.After == "" {
			s.errors.add(s.entries["command_timeout"].key, "command_timeout has no effect without before or after; remove it")
		}
		src.CommandTimeout = v
	}
}
