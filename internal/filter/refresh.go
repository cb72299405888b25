package filter

// Refresh has the checks read the administrator's files that have changed: rules and
// lists. With an error they go on with what they had.
func (f *Filter) Refresh() error {
	if r, ok := f.scanner.(interface{ Refresh() error }); ok {
		return r.Refresh()
	}
	return nil
}
