package redis

// Validate returns what would keep Open from working: files that can't be read.
func (c *Config) Validate() error {
	_, err := newTLS(c)
	return err
}

// KeepsState tells whether the configuration names servers that keep state.
func (c *Config) KeepsState() bool {
	return len(firstOf(c.Servers, c.ServersGrey, c.ServersWhite, c.ServersLimits, c.ServersID)) > 0
}

// Publishes tells whether it names servers on which messages are published, if nothing
// else.
func (c *Config) Publishes() bool { return len(firstOf(c.ServersSpam, c.ServersCopy)) > 0 }
