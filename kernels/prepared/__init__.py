"""What an attention cache keeps of keys and values, made ready once for many single queries."""
