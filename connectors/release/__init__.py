"""Blue-green releases of the market flow: who writes, how it takes over, and who decides (decision 0010)."""
