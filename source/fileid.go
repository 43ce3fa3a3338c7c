package source

// Identify returns the identity of a captured file. It opens the file if the capture does not hold it. The zero DirID
// means that the identity is unknown.
func (c *Capture) Identify(name string) DirID {
	opened, err := c.Peek(name)
	if err != nil {
		return DirID{} // the caller's own read reports it
	}
	defer opened.Close()
	if file, ok := opened.(*content); ok {
		return identifyDir(file.f)
	}
	return DirID{}
}
