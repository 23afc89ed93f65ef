"""Operations, which are carried out item by item."""
