"""What goes out of a store and comes in: everything as JSON, and other memories' stores."""
