package mail

// Steps returns how many comparisons of a line with a boundary the walk took.
func Steps(m *Message) int {
	m.Parts()
	return m.steps
}
