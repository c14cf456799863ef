"""How answers look: a page of tables and pictures, and the formats that it is written in."""
